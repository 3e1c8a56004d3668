//! The shell contract, row by row.

use crate::agent::commands;
use expect_test::expect;

#[test]
fn the_folder_and_exported_variables_carry_over() {
    commands(&[
        "mkdir -p deep/er && cd deep/er",
        "export A=\"it's\"",
        "B=plain",
        "echo $PWD $A $B",
    ])
    .run()
    .expect_printed(expect![[r#"
            /codebuild/output/src42/src/deep/er it's plain
        "#]]);
}
