//! Remote control: a client script drives recordings as LabRecorder is driven, one after the other, and
//! clients of other kinds do no harm.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{
    PATIENCE, Recorder, Simulator, TestDir, assert_closed_cleanly, check_for_json, compile_plugin,
    config_for, counter_source, info, lockstep, run, stream,
};

/// `lockstep record --remote` with this configuration, and the port on which it takes commands.
fn remote(dir: &TestDir, config: &str, arguments: &[&str]) -> (Recorder, u16) {
    let config = dir.write("config.toml", config);
    let mut command = lockstep(["record".as_ref(), config.as_os_str()]);
    Recorder::remote(command.args(arguments).current_dir(&**dir))
}

/// A client that reads its answers.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("sent");
    }

    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("an answer");
        support::note(&answer);
        answer
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.answer()
    }

    fn status(&mut self) -> Value {
        let answer = self.ask("status");
        serde_json::from_str(answer.strip_prefix("OK ").expect("OK")).expect("JSON")
    }
}

fn simulator(dir: &TestDir) -> Simulator {
    Simulator::new(&dir.join("truth"), 1, "--name=sim --rate-hz=200 --channels=4")
}

#[test]
fn a_script_drives_it_as_labrecorder_is_driven() {
    let dir = TestDir::new();
    let device = simulator(&dir);
    let config = config_for(std::slice::from_ref(&device));
    let (recorder, port) = remote(&dir, &config, &["--set", "recording.wait_s=2"]);
    let recordings = check_for_json(
        "remote_client",
        [
            "devices",
            port.to_string().as_str(),
            &serde_json::to_string(&device.command()).expect("JSON"),
            dir.join("Study").to_str().expect("text"),
        ],
    );
    // The script left a recording that goes on.
    recorder.wait_until_recording();
    let ended = recorder.interrupt();
    assert_eq!(ended.finished.code, Some(3), "one recording could not begin: {}", ended.finished);
    for recording in recordings.as_array().expect("two recordings") {
        let found = info(Path::new(recording["path"].as_str().expect("a path")));
        assert_closed_cleanly(&found);
        assert_eq!(stream(&found, "sim")["samples"], recording["samples"]);
        let stop = &support::events(&found, "stop")[0]["reason"];
        assert!(
            stop.as_str().is_some_and(|r| r.starts_with("remote control: stop, from 127.0.0.1:")),
            "{stop}"
        );
    }
}

#[test]
fn a_signal_ends_a_recording_cleanly_and_the_clients_are_told() {
    let dir = TestDir::in_memory();
    let device = simulator(&dir);
    let (recorder, port) = remote(&dir, &config_for(std::slice::from_ref(&device)), &[]);
    let mut client = Client::connect(port);
    client.send("start");
    recorder.wait_until_listening(1);
    let running = device.start();
    assert!(client.answer().starts_with("OK started "));
    let _silent: Vec<Client> = (0..5).map(|_| Client::connect(port)).collect();
    let path = client.status()["recording"]["file"]["path"].as_str().expect("a path").to_owned();
    let (ended, took) = recorder.stop(Signal::SIGTERM);
    running.stop();
    support::note(&format!("SIGTERM: ended after {took:?}"));
    assert!(took < Duration::from_millis(2500), "it took {took:?}");
    ended.expect_code(0);
    assert_eq!(ended.verdict()["ended_by"], "SIGTERM");
    assert_closed_cleanly(&info(Path::new(&path)));
    assert_eq!(client.answer(), "", "the connection is closed");
}

#[test]
fn it_ends_when_it_waits_and_records_nothing_unasked() {
    let dir = TestDir::new();
    let config = "[experiment]\nname = \"x\"\n[recording]\ndirectory = \"data\"\n";
    let (recorder, port) = remote(&dir, config, &[]);
    let mut client = Client::connect(port);
    let told = client.ask("start");
    assert!(told.starts_with("ERROR nothing is configured and nothing is selected"), "{told}");
    let ended = recorder.interrupt();
    ended.expect_code(0);
    assert!(!dir.join("data").exists(), "nothing was begun");
}

#[test]
fn a_flood_of_commands_loses_no_sample_and_stop_is_heard() {
    let dir = TestDir::in_memory();
    let device = Simulator::new(&dir.join("truth"), 1, "--name=sim --rate-hz=1000 --channels=8");
    let (recorder, port) = remote(&dir, &config_for(std::slice::from_ref(&device)), &[]);
    let mut client = Client::connect(port);
    client.send("start");
    recorder.wait_until_listening(1);
    let running = device.start();
    assert!(client.answer().starts_with("OK started "));
    let floods: Vec<Client> = (0..4)
        .map(|_| {
            let mut flood = Client::connect(port);
            let socket = flood.0.get_mut();
            socket.set_nonblocking(true).expect("set");
            for _ in 0..50 {
                let lines = "select type='EEG'\nselect none\nstatus\nfilename {task:a}\nx\n".repeat(200);
                let _ = socket.write(lines.as_bytes());
            }
            flood
        })
        .collect();
    let begun = Instant::now();
    while client.status()["recording"]["elapsed_s"].as_f64() < Some(3.0) {
        std::thread::sleep(Duration::from_millis(50));
        assert!(begun.elapsed() < PATIENCE, "it does not go on");
    }
    let asked = Instant::now();
    let told = client.ask("stop");
    support::note(&format!("stop was answered after {:?}", asked.elapsed()));
    assert!(told.starts_with("OK stopped ") && told.contains(" 0 lost"), "{told}");
    drop(floods);
    running.stop();
    recorder.interrupt().expect_code(0);
}

#[test]
fn what_is_selected_is_given_to_the_plugin_lsl() {
    let dir = TestDir::new();
    // In the place of the real one: it counts, whatever it is asked for.
    let flags = ["-DPLUGIN_ID=\"lsl\"", "-DOPTIONS_SCHEMA=NULL", "-Wno-unused-function"];
    compile_plugin(&counter_source(), &dir.join("plugins"), "lsl", &flags);
    let config = "[experiment]\nname = \"x\"\n[recording]\nfilename = \"x_{time}\"\n";
    let (recorder, port) = remote(&dir, config, &["--plugin-dir", "plugins"]);
    let mut client = Client::connect(port);
    assert!(client.ask("select type='EEG'").starts_with("OK the streams of LSL with type='EEG'"));
    let told = client.ask("start");
    assert!(told.starts_with("OK started "), "{told}");
    let told = client.ask("stop");
    assert!(told.starts_with("OK stopped "), "{told}");
    let last = client.status()["last"].clone();
    let found = info(Path::new(last["path"].as_str().expect("a path")));
    let bytes = std::fs::read(last["path"].as_str().expect("a path")).expect("the file");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("predicate") && text.contains("EEG"), "the file says what was selected");
    assert_closed_cleanly(&found);
    recorder.interrupt().expect_code(0);
}

#[test]
fn a_port_that_is_taken_and_wrong_usage_are_told() {
    let dir = TestDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let config = dir.write("config.toml", "experiment.name = \"x\"\nremote.enabled = true\n");
    let config = config.to_str().expect("text");
    run(["record", config, "--remote", &address])
        .expect_code(2)
        .expect_stderr(&[&address, "choose another with --remote"]);
    run(["record", config, "--output", "a.xdf"]).expect_code(2).expect_stderr(&["--output names one file"]);
    run(["record", config, "--remote", "--output", "a.xdf"]).expect_code(2);
    run(["record", "--remote", config]).expect_code(2).expect_stderr(&["put --remote behind"]);
    run(["validate", config]).expect_code(0);
}

const TOKEN: &str = "2f1c9d7be04a4d0f";

#[test]
fn whoever_listens_to_others_asks_for_a_token() {
    let dir = TestDir::new();
    let config =
        dir.write("config.toml", "experiment.name = \"x\"\n[remote]\nenabled = true\nbind = \"0.0.0.0\"\n");
    let config = config.to_str().expect("text");
    let needed = ["no token is asked of them", "config.toml:4", "token_file", "LOCKSTEP_REMOTE_TOKEN"];
    run(["record", config]).expect_code(2).expect_stderr(&needed);
    run(["validate", config]).expect_code(2).expect_stderr(&needed);
    run(["record", "--remote", "0.0.0.0:0"]).expect_code(2).expect_stderr(&needed[..1]);
    let told = run(["record", config, "--set", &format!("remote.token={TOKEN}")]).expect_code(2);
    let told = told.expect_stderr(&["not taken from the command line"]);
    assert!(!told.stderr.contains(TOKEN), "{}", told.stderr);
    let token = dir.write("token", format!("{TOKEN}\n"));
    let file = format!("remote.token_file={}", token.display());
    let told = run(["validate", config, "--set", &file]).expect_code(0);
    assert!(told.stdout.contains("0.0.0.0, port 22345, of those who say the token"), "{}", told.stdout);
}

#[test]
fn a_token_is_needed_by_everybody_and_shown_to_nobody() {
    let dir = TestDir::in_memory();
    let device = simulator(&dir);
    let config = config_for(std::slice::from_ref(&device));
    let config = format!("{config}\n[remote]\ntoken = \"{TOKEN}\" # of this laboratory\n");
    let (recorder, port) = remote(&dir, &config, &["--set", "recording.wait_s=20"]);
    let mut stranger = Client::connect(port);
    let told = stranger.ask("start");
    assert!(told.starts_with("ERROR commands are taken after the line `token SECRET`"), "{told}");
    assert_eq!(stranger.answer(), "", "the connection is closed");
    recorder.wait_for("remote", "the refusal", |r| {
        r["warning"]
            .as_str()
            .is_some_and(|text| text.starts_with("a client without the right token was refused"))
    });
    let mut client = Client::connect(port);
    assert_eq!(client.ask(&format!("token {TOKEN}")), "OK the token is right\n");
    client.send("start");
    recorder.wait_until_listening(1);
    let running = device.start();
    let told = client.answer();
    assert!(told.starts_with("OK started "), "{told}");
    let status = client.status();
    assert_eq!(status["refused"], 1);
    assert!(client.ask("stop").starts_with("OK stopped "));
    running.stop();
    let path = client.status()["last"]["path"].as_str().expect("a path").to_owned();
    let ended = recorder.interrupt();
    ended.expect_code(0);
    let bytes = std::fs::read(path).expect("the file");
    for (what, text) in [
        ("the recording", String::from_utf8_lossy(&bytes).into_owned()),
        ("the status", status.to_string()),
        ("the screen", format!("{} {}", ended.finished.stdout, ended.finished.stderr)),
    ] {
        assert!(!text.contains(TOKEN), "{what} holds the token");
    }
    assert!(String::from_utf8_lossy(&bytes).contains("token = \"***\" # of this laboratory"));
}
