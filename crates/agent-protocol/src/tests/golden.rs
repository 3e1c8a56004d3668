//! The bytes of every kind of record. A change here is a new version of the protocol.

use crate::{
    AgentPhase, ArtifactUploaded, BuildUsed, CommandEnded, CommandList, CommandStarted, Fact,
    PhaseOutcome, Timestamp, Used,
    journal::{encode_fact, encode_log},
};
use expect_test::{Expect, expect};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_123);

fn check(fact: &Fact, expected: &Expect) {
    let mut bytes = Vec::new();
    encode_fact(&mut bytes, AT, fact);
    expected.assert_eq(&bytes.escape_ascii().to_string());
}

#[test]
fn log_records_keep_their_bytes() {
    let mut bytes = Vec::new();
    encode_log(&mut bytes, AT, b"hello\xff\n");
    expect![[r#"\x10\x00\x00\x00;\xa7]P\x01x  \x18$\n\x06\x00hello\xff\n"#]]
        .assert_eq(&bytes.escape_ascii().to_string());
}

#[test]
fn facts_keep_their_bytes() {
    check(
        &Fact::Hello { protocol: 1 },
        &expect![[
            r#"&\x00\x00\x00\xaf\xe8\xa1$\x02x  \x18$\n\x06\x00{\"fact\":\"hello\",\"protocol\":1}"#
        ]],
    );
    check(
        &Fact::PhaseStarted { phase: AgentPhase::DownloadSource },
        &expect![[
            r#";\x00\x00\x00g\x8f\xaa=\x02x  \x18$\n\x06\x00{\"fact\":\"phase_started\",\"phase\":\"DOWNLOAD_SOURCE\"}"#
        ]],
    );
    let outcome = PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "Error");
    check(
        &Fact::PhaseFinished { phase: AgentPhase::PreBuild, outcome },
        &expect![[
            r#"\x9d\x00\x00\x00B/i\x03\x02x  \x18$\n\x06\x00{\"fact\":\"phase_finished\",\"phase\":\"PRE_BUILD\",\"outcome\":{\"status\":\"FAILED\",\"contexts\":[{\"status_code\":\"COMMAND_EXECUTION_ERROR\",\"message\":\"Error\"}]}}"#
        ]],
    );
    check(
        &Fact::SourceResolved { version: "abc".into() },
        &expect![[
            r#"3\x00\x00\x00\xbf\x0f\xd3K\x02x  \x18$\n\x06\x00{\"fact\":\"source_resolved\",\"version\":\"abc\"}"#
        ]],
    );
    check(
        &Fact::SourcesFetched,
        &expect![[
            r##"#\x00\x00\x00\xde\x8f\x05?\x02x  \x18$\n\x06\x00{\"fact\":\"sources_fetched\"}"##
        ]],
    );
    check(
        &Fact::GitCredentialHelper,
        &expect![[
            r#")\x00\x00\x00i6g\x01\x02x  \x18$\n\x06\x00{\"fact\":\"git_credential_helper\"}"#
        ]],
    );
    check(
        &Fact::Exported { variables: vec![("A".into(), "b".into())] },
        &expect![[
            r#"4\x00\x00\x00H\xc2\x1b\n\x02x  \x18$\n\x06\x00{\"fact\":\"exported\",\"variables\":[[\"A\",\"b\"]]}"#
        ]],
    );
    let artifact = ArtifactUploaded {
        identifier: None,
        bucket: "out".into(),
        key: "demo".into(),
        md5: Some("aa".into()),
        sha256: None,
    };
    check(
        &Fact::ArtifactUploaded(artifact),
        &expect![[
            r#"l\x00\x00\x00\xd9%Q\xc0\x02x  \x18$\n\x06\x00{\"fact\":\"artifact_uploaded\",\"identifier\":null,\"bucket\":\"out\",\"key\":\"demo\",\"md5\":\"aa\",\"sha256\":null}"#
        ]],
    );
    check(
        &Fact::RetryAsked { count: 3 },
        &expect![[
            r#")\x00\x00\x004e\xce\x86\x02x  \x18$\n\x06\x00{\"fact\":\"retry_asked\",\"count\":3}"#
        ]],
    );
    check(
        &Fact::Finished,
        &expect![[r#"\x1c\x00\x00\x00Xs\x10s\x02x  \x18$\n\x06\x00{\"fact\":\"finished\"}"#]],
    );
}

#[test]
fn facts_about_commands_keep_their_bytes() {
    let started = CommandStarted {
        phase: AgentPhase::Build,
        list: CommandList::Finally,
        index: 2,
        text: "make".into(),
        text_bytes: 4,
    };
    check(
        &Fact::CommandStarted(started),
        &expect![[
            r#"k\x00\x00\x00\ty?\xd0\x02x  \x18$\n\x06\x00{\"fact\":\"command_started\",\"phase\":\"BUILD\",\"list\":\"finally\",\"index\":2,\"text\":\"make\",\"text_bytes\":4}"#
        ]],
    );
    let used = Used { cpu_user_micros: 1, memory_peak_bytes: 2, ..Used::default() };
    let ended = CommandEnded { exit_status: 137, signal: Some(9), memory_kills: 1, used };
    check(
        &Fact::CommandEnded(ended),
        &expect![[
            r#"\xf5\x00\x00\x00\xdf8\x86\xe6\x02x  \x18$\n\x06\x00{\"fact\":\"command_ended\",\"exit_status\":137,\"signal\":9,\"memory_kills\":1,\"used\":{\"cpu_user_micros\":1,\"cpu_system_micros\":0,\"memory_peak_bytes\":2,\"disk_read_bytes\":0,\"disk_written_bytes\":0,\"network_received_bytes\":0,\"network_sent_bytes\":0}}"#
        ]],
    );
    let used = BuildUsed { used, processors_peak_millis: 1_900 };
    check(
        &Fact::Used(used),
        &expect![[
            r#"\xdc\x00\x00\x00\xb9y\x94\xed\x02x  \x18$\n\x06\x00{\"fact\":\"used\",\"used\":{\"cpu_user_micros\":1,\"cpu_system_micros\":0,\"memory_peak_bytes\":2,\"disk_read_bytes\":0,\"disk_written_bytes\":0,\"network_received_bytes\":0,\"network_sent_bytes\":0},\"processors_peak_millis\":1900}"#
        ]],
    );
}
