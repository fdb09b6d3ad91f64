//! `lockstep plugins`

use clap::Args;

use super::Failure;
use super::record::PluginArgs;
use crate::config::{OptionDoc, describe_options};
use crate::display::print_out;
use crate::display::table::{Align, Table};
use crate::host::{LoadError, Plugin, PluginSearch};

/// List the plugins, or explain one and its options.
#[derive(Debug, Args)]
pub struct PluginsArgs {
    /// Explain this plugin
    pub name: Option<String>,
    /// As JSON; for one plugin, the JSON Schema of its options
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub plugins: PluginArgs,
}

/// Run it.
pub fn run(args: &PluginsArgs) -> Result<u8, Failure> {
    let search = args.plugins.search();
    match &args.name {
        None => list(&search, args.json),
        Some(name) => {
            let plugin = search.load(name).map_err(|e| failure(&e))?;
            explain(&plugin, args.json).map_err(|e| failure(&e))?;
        }
    }
    Ok(0)
}

fn failure(error: &LoadError) -> Failure {
    let help = match error {
        LoadError::NotFound { found, .. } => format!("plugins there are: {}", found.join(", ")),
        _ => String::new(),
    };
    Failure::usage(error, help)
}

fn list(search: &PluginSearch, json: bool) {
    let plugins: Vec<(String, Result<Plugin, LoadError>)> =
        search.names().into_iter().map(|name| (name.clone(), search.load(&name))).collect();
    if json {
        let all: Vec<_> = plugins
            .iter()
            .map(|(name, plugin)| match plugin {
                Ok(p) => serde_json::json!({
                    "name": name, "version": p.version, "description": p.description,
                    "from": p.origin.to_string(),
                }),
                Err(e) => serde_json::json!({"name": name, "error": e.to_string()}),
            })
            .collect();
        return print_out(&serde_json::json!({"plugins": all}).to_string());
    }
    let mut table = Table::new(&[
        ("PLUGIN", Align::Left),
        ("VERSION", Align::Left),
        ("WHAT IT RECORDS", Align::Left),
        ("FROM", Align::Left),
    ]);
    let mut unusable = Vec::new();
    for (name, plugin) in plugins {
        match plugin {
            Ok(p) => table.row(vec![name, p.version.clone(), p.description.clone(), p.origin.to_string()]),
            Err(e) => unusable.push(format!("✗ {name}: {e}")),
        }
    }
    for line in table.lines().into_iter().chain(unusable) {
        print_out(&line);
    }
    print_out("\nfolders that are searched, in this order:");
    for directory in search.directories() {
        print_out(&format!("  {}", directory.display()));
    }
    print_out("`lockstep plugins NAME` explains a plugin and its options");
}

fn explain(plugin: &Plugin, json: bool) -> Result<(), LoadError> {
    let schema = plugin.options_schema()?;
    if json {
        print_out(&schema.unwrap_or(serde_json::Value::Bool(true)).to_string());
        return Ok(());
    }
    print_out(&format!("{} {}: {}", plugin.id, plugin.version, plugin.description));
    print_out(&format!("from {}\n", plugin.origin));
    let Some(schema) = schema else {
        print_out("It does not say which options it takes.");
        return Ok(());
    };
    if let Some(about) = schema.get("description").and_then(|d| d.as_str()) {
        print_out(&format!("{about}\n"));
    }
    print_out("Options under [source.options]:\n");
    for option in describe_options(&schema) {
        print_out(&render_option(&option));
    }
    Ok(())
}

fn render_option(option: &OptionDoc) -> String {
    let mut facts = vec![option.type_text.clone()];
    match (&option.default, option.required) {
        (_, true) => facts.push("required".to_owned()),
        (Some(default), _) => facts.push(format!("default {default}")),
        (None, false) => {}
    }
    if let Some(only_with) = &option.only_with {
        facts.push(format!("only with {only_with}"));
    }
    let mut text = format!("  {}  ({})\n", console::style(&option.path).bold(), facts.join(", "));
    for line in wrap(&option.description, 90) {
        text += &format!("      {line}\n");
    }
    text
}

/// Break `text` into lines of at most `width` characters, keeping its own line breaks.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
