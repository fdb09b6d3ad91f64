//! A child's life: it loads one plugin, drives one instance of it, and says everything to its parent.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use lockstep_platform::child::{confine, exit_now, set_nonblocking, take_standard_streams};

use super::frame::{Creation, Frames, FromChild, FromParent, Hello, PROTOCOL};
use super::link::Link;
use crate::host::search::load_from;
use crate::host::{Created, HostTable, Instance, Origin, Plugin, StopReport};

/// Between two beats.
const BEAT_PERIOD: Duration = Duration::from_millis(250);
/// Its memory may grow to twice what is configured and this, should the parent not look in time.
const SPARE_BYTES: u64 = 256 << 20;

/// What a child is told at its start.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The process that started it.
    pub parent: u32,
    /// The source.
    pub name: String,
    /// Its plugin.
    pub plugin: String,
    /// The plugin's library; `None`: it is built in.
    pub library: Option<PathBuf>,
    /// Memory it may use.
    pub memory_bytes: u64,
}

/// What the thread that calls the plugin is told.
#[derive(Debug)]
enum Control {
    Create { options_json: String, probes: u32, interval_s: f64 },
    Start,
    Stop,
}

/// Serve a source until the parent says that it is over, or is gone.
///
/// # Errors
/// The system refused something before anything was begun.
pub fn serve(options: &ServeOptions) -> std::io::Result<()> {
    let (commands, frames) = take_standard_streams()?;
    confine(options.parent, options.memory_bytes.saturating_mul(2).saturating_add(SPARE_BYTES))?;
    set_nonblocking(&frames)?;
    let link = Arc::new(Link::new(&options.name, frames));
    let beating = Arc::clone(&link);
    std::thread::Builder::new().name("beat".to_owned()).spawn(move || {
        while beating.beat() {
            std::thread::sleep(BEAT_PERIOD);
        }
        // Where its lines are still read, this says what its exit code does not.
        drop(writeln!(std::io::stderr(), "the pipe to the recorder is closed"));
        exit_now(1);
    })?;
    let origin = options.library.clone().map_or(Origin::BuiltIn, Origin::File);
    let loaded =
        load_from(&origin, &options.plugin).and_then(|plugin| Ok((plugin.options_schema()?, plugin)));
    let (schema, plugin) = match loaded {
        Ok(loaded) => loaded,
        Err(e) => {
            link.say(&FromChild::CannotLoad(&e.to_string()));
            exit_now(2);
        }
    };
    let schema = schema.map(|schema| schema.to_string());
    let (id, version) = (plugin.id.as_str(), plugin.version.as_str());
    link.say(&FromChild::Hello(Hello { protocol: PROTOCOL, id, version, schema: schema.as_deref() }));
    let (sender, told) = bounded(4);
    let controlled = Arc::clone(&link);
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || control(&plugin, &controlled, &told))?;
    listen(commands, &link, &sender);
    // Nobody is left to say anything to.
    exit_now(0);
}

/// Take what the parent says, until it says nothing more.
fn listen(mut commands: File, link: &Link, control: &Sender<Control>) {
    let mut frames = Frames::default();
    loop {
        match commands.read(frames.room()) {
            Ok(0) => return,
            Ok(read) => frames.filled(read),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        loop {
            let said = match frames.next_frame().map(|frame| frame.map(FromParent::decode)) {
                Ok(None) => break,
                Ok(Some(Ok(said))) => said,
                Ok(Some(Err(_))) | Err(_) => return,
            };
            // There is room for all that a parent says, each once.
            let _ = match said {
                FromParent::Answer { call, answer } => {
                    link.answer(call, answer);
                    continue;
                }
                FromParent::Create { options_json, probes, interval_s } => control
                    .try_send(Control::Create { options_json: options_json.to_owned(), probes, interval_s }),
                FromParent::Start => control.try_send(Control::Start),
                FromParent::Stop => control.try_send(Control::Stop),
            };
        }
    }
}

/// The calls of the instance, one after the other.
fn control(plugin: &Plugin, link: &Arc<Link>, told: &Receiver<Control>) {
    let mut instance = None;
    for command in told {
        match command {
            Control::Create { options_json, probes, interval_s } => {
                let host = HostTable::new(link.clone(), probes, interval_s);
                match Instance::create(plugin, host, &options_json, &link_name(link)) {
                    Created::Ready(made) => {
                        instance = Some(made);
                        link.say(&FromChild::Created(Creation::Ready));
                    }
                    Created::BadOptions(problems) => {
                        let pairs = problems.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
                        link.say(&FromChild::Created(Creation::BadOptions(pairs)));
                    }
                    Created::Failed(why) => {
                        link.say(&FromChild::Created(Creation::Failed(&why)));
                    }
                }
            }
            Control::Start => {
                link.open();
                let Some(instance) = &instance else { continue };
                instance.start();
                let failure = instance.wait_started().err();
                link.say(&FromChild::Started(failure.as_deref()));
            }
            Control::Stop => {
                let failure = instance.take().and_then(|mut instance: Instance| {
                    instance.stop();
                    match instance.wait_stopped() {
                        StopReport::Clean => None,
                        StopReport::Failed(why) => Some(why),
                    }
                });
                link.say(&FromChild::Stopped(failure.as_deref()));
                exit_now(0);
            }
        }
    }
}

fn link_name(link: &Arc<Link>) -> String {
    crate::host::Sink::name(&**link).to_owned()
}
