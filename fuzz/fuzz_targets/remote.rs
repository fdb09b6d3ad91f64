//! Remote control: bytes of a connection, lines, commands, and what they make of the next recording.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lockstep_recorder::config::{Loaded, parse};
use lockstep_recorder::host::PluginSearch;
use lockstep_recorder::remote::desk::Desk;
use lockstep_recorder::remote::lines::{LINE_MAX_BYTES, Line, Lines};
use lockstep_recorder::remote::protocol::{self, Reply};

/// Where nothing is, so that no file stands in the way.
const FOLDER: &str = "/nonexistent/recordings";
const SECRET: &str = "2f1c9d7be04a4d0f8a6e";
/// Commands obeyed of one input: each reads the whole configuration.
const OBEYED: usize = 6;

fn base() -> &'static (Loaded, PluginSearch) {
    static BASE: OnceLock<(Loaded, PluginSearch)> = OnceLock::new();
    BASE.get_or_init(|| {
        let text = format!(
            "[experiment]\nname = \"grip\"\n[recording]\ndirectory = \"{FOLDER}\"\n[remote]\nenabled = true\n\
             token = \"{SECRET}\"\n[[source]]\nname = \"imu\"\nplugin = \"udp\"\noptions.listen = \"1\"\n\
             options.payload = \"marker\"\n"
        );
        let loaded = parse(&text, "fuzz.toml", &[]).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
        (loaded, PluginSearch::new(&[]))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    bytes.chunks(1 + usize::from(piece)).for_each(|bytes| all.extend(lines.feed(bytes)));
    assert_eq!(all, Lines::default().feed(bytes), "pieces make no difference");
    all.extend(lines.end());
    let (loaded, search) = base();
    let (mut desk, mut obeyed) = (Desk::new(loaded, search), 0);
    for line in all {
        if let Line::Text(text) = &line {
            assert!(text.len() <= LINE_MAX_BYTES);
        }
        let reply = match protocol::parse(line) {
            Ok(command) if obeyed < OBEYED => {
                obeyed += 1;
                let elsewhere = ([192, 0, 2, 1], 5).into();
                // While something is recorded, the disk is not asked.
                desk.allows(&command, elsewhere).map_or_else(Reply::Failed, |()| desk.obey(command, true))
            }
            Ok(command) => Reply::Done(format!("{command:?}")),
            Err(fault) => Reply::Failed(fault),
        };
        let line = reply.line();
        assert!(line.ends_with('\n') && !line.trim_end_matches('\n').contains(char::is_control), "{line:?}");
        assert!(line.len() <= 16 * LINE_MAX_BYTES, "an answer is bounded");
        assert!(!line.contains(SECRET), "{line}");
    }
    if obeyed > 0 {
        assert!(desk.outlook(true).is_ok_and(|outlook| !outlook.text.contains(SECRET)));
        let root = serde_json::to_value(desk.naming()).unwrap_or_default()["root"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(root.is_empty() || root.starts_with(FOLDER), "{root}");
    }
});
