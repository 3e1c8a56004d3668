//! Processes: background ones, what they print, signals, descriptors, users.

use crate::agent::{buildspec, commands, inline};
use agent_protocol::RecordBody;
use expect_test::expect;
use std::time::Duration;

#[test]
fn a_background_process_does_not_hold_up_its_command() {
    let build =
        commands(&["sleep 1000 & echo started", "nohup sleep 1000 >/dev/null 2>&1 &"]).run();
    build.expect_exit_0().expect_printed(expect![[r#"
        started
    "#]]);
    let (first, last) = (build.records.first().unwrap().at, build.records.last().unwrap().at);
    assert!(last.since(first) < Duration::from_secs(30));
}

#[test]
fn a_background_process_survives_its_command_and_prints() {
    commands(&[
        "mkfifo go; (read line < go; echo printed later; echo done > went) &",
        "echo now > go; while [ ! -e went ]; do sleep 0.01; done",
    ])
    .run()
    .expect_printed(expect![[r#"
        printed later
    "#]]);
}

#[test]
fn a_background_process_that_never_stops_printing_stops_nothing() {
    let build = commands(&["yes &", "echo one more", "true"]).run();
    build.expect_exit_0();
    assert!(build.printed().contains("one more"));
}

#[test]
fn what_is_left_ends_with_the_build() {
    let list = ["sleep 4321.125 & (setsid sleep 4321.125 &) ; true"];
    commands(&list).run().expect_exit_0();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let left = processes.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == b"sleep\x004321.125\0"
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn orphans_are_cleared_away() {
    // An ended process is its parent's child until it is cleared away; the shell itself is one.
    commands(&[
        "for i in 1 2 3; do (true &) ; done",
        "while [ $(wc -w < /proc/$PPID/task/$PPID/children) -gt 1 ]; do :; done; echo cleared",
    ])
    .run()
    .expect_printed(expect![[r#"
        cleared
    "#]]);
}

#[test]
fn a_signal_is_told_in_words() {
    commands(&["kill -KILL $$"]).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: kill -KILL $$. Reason: signal: killed
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
}

#[test]
fn a_command_that_signals_its_group_does_not_reach_the_agent() {
    commands(&["trap '' TERM; kill -TERM 0; echo still here"])
        .run()
        .expect_exit_0()
        .expect_printed(expect![[r#"
            still here
        "#]]);
}

#[test]
fn nothing_that_the_agent_holds_is_inherited() {
    commands(&["ls /proc/self/fd | tr '\\n' ' '"]).run().expect_printed(expect![[r#"
        0 1 2 3 
    "#]]);
}

#[test]
fn orders_and_journal_may_come_through_a_door() {
    let trial = commands(&["ls /proc/self/fd | tr '\\n' ' '"]);
    let orders = serde_json::to_vec(&trial.orders).unwrap();
    let outcome = trial.run_at_a_door(&orders);
    outcome.expect_exit_0().expect_printed(expect![[r#"
        0 1 2 3 
    "#]]);
}

#[test]
fn a_door_that_opens_for_nothing_ends_the_agent() {
    let outcome = commands(&["true"]).run_at_a_door(b"");
    assert_eq!(outcome.process.status.code(), Some(70));
}

#[test]
fn the_agents_memory_is_hidden_from_its_own_user() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can start the agent as another user");
        return;
    }
    let mut trial = commands(&[
        "cat /proc/$$/environ >/dev/null && echo mine",
        "cat /proc/$PPID/environ 2>/dev/null || echo hidden",
    ]);
    trial.wrapper = vec!["setpriv", "--reuid=65534", "--clear-groups"];
    std::os::unix::fs::chown(trial.root.path(), Some(65534), None).unwrap();
    trial.run().expect_printed(expect![[r#"
        mine
        hidden
    "#]]);
}

#[test]
fn a_shell_that_is_not_there_fails_its_command() {
    let text = buildspec("env: {shell: fishy}\n", &["true"]);
    inline(&text).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: true. Reason: exec: "fishy": executable file not found in $PATH
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
}

#[test]
fn long_output_comes_whole_in_large_records() {
    let build = commands(&["head -c 5000000 /dev/zero | tr '\\0' x; echo"]).run();
    let pieces: Vec<usize> = build
        .records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::Log(bytes) if bytes.starts_with(b"x") => Some(bytes.len()),
            RecordBody::Log(_) | RecordBody::Fact(_) => None,
        })
        .collect();
    assert_eq!(pieces.iter().sum::<usize>() / 5_000_000, 1);
    assert!(pieces.len() < 2_000, "{} pieces", pieces.len());
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    let build = commands(&["printf 'a\\377\\000\\033[31mb'"]).run();
    let found = build.records.iter().any(|record| match &record.body {
        RecordBody::Log(bytes) => bytes.as_slice() == b"a\xff\0\x1b[31mb",
        RecordBody::Fact(_) => false,
    });
    assert!(found);
}

#[test]
fn commands_run_as_the_user_that_is_asked_for() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let head = "run-as: builder\n";
    let list = ["id -u; id -G; echo $HOME; export A=kept; echo > mine; cd /", "echo $A $PWD"];
    let trial = inline(&buildspec(head, &list));
    let etc = trial.root.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(etc.join("passwd"), "builder:x:4242:4243::/home/builder:/bin/sh\n").unwrap();
    std::fs::write(etc.join("group"), "builder:x:4243:\nextra:x:4244:builder\n").unwrap();
    open_to_all(trial.root.path());
    trial.run().expect_printed(expect![[r#"
        4242
        4243 4244
        /home/builder
        kept /
    "#]]);
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_user_that_does_not_exist_fails_the_phase() {
    inline(&buildspec("run-as: nobody-here\n", &["id"])).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR user nobody-here of run-as does not exist in the image
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
}
