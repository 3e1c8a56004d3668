//! From the model's names to Rust's.

const KEYWORDS: [&str; 7] = ["type", "ref", "match", "move", "use", "where", "loop"];

/// `projectName` as `project_name`, `BatchGetBuilds` as `batch_get_builds`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let word_begins = letter.is_ascii_uppercase()
            && before.is_some_and(|b| {
                !b.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase)
            });
        if word_begins && before != Some('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A structure's field.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// The name that serde gives to a field under `rename_all = "camelCase"`.
pub(crate) fn camel(field: &str) -> String {
    let pascal = pascal_of_snake(field);
    pascal[..1].to_ascii_lowercase() + &pascal[1..]
}

/// The name that serde gives to a field under `rename_all = "PascalCase"`.
pub(crate) fn pascal_of_snake(field: &str) -> String {
    field.trim_start_matches("r#").split('_').map(capital).collect()
}

/// `BUILD_GENERAL1_SMALL` as `BuildGeneral1Small`; a value with small letters keeps its own.
pub(crate) fn variant(value: &str) -> String {
    let shouted = !value.contains(|c: char| c.is_ascii_lowercase());
    let words = value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words
        .map(|word| if shouted { capital(&word.to_ascii_lowercase()) } else { capital(word) })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("V{name}") } else { name }
}

/// A shape's static.
pub(crate) fn constant(shape: &str) -> String {
    snake(shape).to_ascii_uppercase()
}

/// A shape's type.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::{camel, field, snake, variant};

    #[test]
    fn names_become_rusts() {
        for (name, rust) in [
            ("BatchGetBuilds", "batch_get_builds"),
            ("s3Logs", "s3_logs"),
            ("vCpu", "v_cpu"),
            ("reportARN", "report_arn"),
            ("sha256sum", "sha256sum"),
            ("kmsKeyId", "kms_key_id"),
        ] {
            assert_eq!(snake(name), rust);
        }
        assert_eq!(field("type"), "r#type");
    }

    #[test]
    fn camel_undoes_snake_where_serde_can() {
        assert_eq!(camel(&field("s3Logs")), "s3Logs");
        assert_eq!(camel(&field("type")), "type");
        assert_ne!(camel(&field("reportARN")), "reportARN");
    }

    #[test]
    fn values_become_variants() {
        for (value, rust) in [
            ("BUILD_GENERAL1_2XLARGE", "BuildGeneral12xlarge"),
            ("NO_ARTIFACTS", "NoArtifacts"),
            ("LogStreamName", "LogStreamName"),
            ("attribute_based", "AttributeBased"),
        ] {
            assert_eq!(variant(value), rust);
        }
    }
}
