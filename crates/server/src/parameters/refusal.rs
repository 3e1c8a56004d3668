//! Every sentence with which Parameter Store refuses, each behind a name.

use wire::{
    ServiceError,
    ssm::{SERVICE, error},
};

fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::refusal(SERVICE.invalid_input, message)
}

/// The name is not one that a parameter can have.
pub(super) fn name() -> ServiceError {
    validation(
        "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). If formed \
         as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be \
         formed as a mix of letters, numbers and the following 3 symbols .-_",
    )
}

/// The name is AWS's own.
pub(super) fn reserved(name: &str) -> ServiceError {
    ServiceError::refusal(
        "AccessDeniedException",
        format!("No access to reserved parameter name: {name}."),
    )
}

/// A path does not begin at the root.
pub(super) fn not_fully_qualified() -> ServiceError {
    validation("Parameter name must be a fully qualified name.")
}

/// A path is too deep.
pub(super) fn too_many_levels(max: usize) -> ServiceError {
    error::hierarchy_level_limit_exceeded(format!(
        "A hierarchy can have a maximum of {max} levels."
    ))
}

/// There is no such parameter.
pub(super) fn no_parameter(name: &str) -> ServiceError {
    error::parameter_not_found(format!("Parameter {name} not found."))
}

/// There is no such version of the parameter.
pub(super) fn no_version(name: &str, version: &str) -> ServiceError {
    error::parameter_version_not_found(format!(
        "Systems Manager could not find version {version} of {name}. Verify the version and try \
         again."
    ))
}

/// There is a parameter of this name.
pub(super) fn exists() -> ServiceError {
    error::parameter_already_exists(
        "The parameter already exists. To overwrite this value, set the overwrite option in the \
         request to true.",
    )
}

/// A new parameter needs a type.
pub(super) fn no_type() -> ServiceError {
    validation("A parameter type is required when you create a parameter.")
}

/// The value is empty.
pub(super) fn no_value() -> ServiceError {
    validation(
        "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member \
         must have length greater than or equal to 1.",
    )
}

/// The value is too long for the parameter's tier.
pub(super) fn value_length(tier: &str, characters_max: usize) -> ServiceError {
    let more = match tier {
        "Standard" => {
            " To create a larger parameter value, upgrade the parameter to use the \
             advanced-parameter tier."
        }
        _ => "",
    };
    validation(format!(
        "{tier} tier parameters support a maximum parameter value of {characters_max} \
         characters.{more}"
    ))
}

/// An advanced parameter cannot become a standard one.
pub(super) fn downgrade() -> ServiceError {
    validation(
        "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from \
         the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete \
         the advanced parameter and recreate it as a standard parameter.",
    )
}

/// The value refers to another parameter.
pub(super) fn nested() -> ServiceError {
    validation("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
}

/// The pattern is none.
pub(super) fn pattern() -> ServiceError {
    error::invalid_allowed_pattern("The request does not meet the regular expression requirement.")
}

/// The value does not match the pattern.
pub(super) fn pattern_mismatch(pattern: &str) -> ServiceError {
    error::parameter_pattern_mismatch(format!(
        "Parameter value, cannot be validated against allowedPattern: {pattern}"
    ))
}

/// Tags and overwriting do not go together.
pub(super) fn tags_and_overwrite() -> ServiceError {
    validation(
        "Invalid request: tags and overwrite can't be used together. To create a parameter with \
         tags, please remove overwrite flag. To update tags for an existing parameter, please use \
         AddTagsToResource or RemoveTagsFromResource.",
    )
}

/// A key was named for a value that is not to be encrypted.
pub(super) fn key_without_need() -> ServiceError {
    validation("KeyId can only be used with parameters of type SecureString.")
}

/// There is no such key here, and taking another's name without its protection would be a lie.
pub(super) fn key(key: &str) -> ServiceError {
    error::invalid_key_id(format!(
        "The key {key} is not supported by this service yet: use alias/aws/ssm"
    ))
}

/// The data type is none that there is.
pub(super) fn data_type(data_type: &str) -> ServiceError {
    validation(format!(
        "The following data type is not supported: {data_type} (Data type names are all \
         lowercase.)"
    ))
}

/// Something of AWS's that is not here; ignoring it would be a lie.
pub(super) fn not_here_yet(what: &str) -> ServiceError {
    validation(format!("{what} is not supported by this service yet"))
}

/// The oldest version has a label and cannot make room.
pub(super) fn oldest_is_labelled(name: &str, number: i64) -> ServiceError {
    error::parameter_max_version_limit_exceeded(format!(
        "You attempted to create a new version of {name} by calling the PutParameter API with the \
         overwrite flag. Version {number}, the oldest version, can't be deleted because it has a \
         label associated with it. Move the label to another version of the parameter, and try \
         again."
    ))
}

/// A version would have too many labels.
pub(super) fn too_many_labels(max: usize) -> ServiceError {
    error::parameter_version_label_limit_exceeded(format!(
        "An error occurred (ParameterVersionLabelLimitExceeded) when calling the \
         LabelParameterVersion operation: A parameter version can have maximum {max} labels.Move \
         one or more labels to another version and try again."
    ))
}

/// A name is given twice.
pub(super) fn named_twice(name: &str) -> ServiceError {
    validation(format!("Duplicate parameter name: {name}"))
}

/// The path does not begin at the root.
pub(super) fn path(path: &str) -> ServiceError {
    validation(format!(
        "The parameter doesn't meet the parameter name requirements. The parameter name must \
         begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" \
         (case-insensitive). It must use only letters, numbers, or the following symbols: . \
         (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, \
         if specified, must use the forward slash symbol \"/\". Path: {path}"
    ))
}

/// Both kinds of filters were given.
pub(super) fn two_filters() -> ServiceError {
    validation("You can use either Filters or ParameterFilters in a single request.")
}

/// A filter's key is not one for this operation.
pub(super) fn filter_key(key: &str, keys: &str) -> ServiceError {
    error::invalid_filter_key(format!(
        "The following filter key is not valid: {key}. Valid filter keys include: [{keys}]."
    ))
}

/// A filter's option is not one for its key.
pub(super) fn filter_option(option: &str, options: &str) -> ServiceError {
    error::invalid_filter_option(format!(
        "The following filter option is not valid: {option}. Valid options include: [{options}]."
    ))
}

/// A filter has no values.
pub(super) fn filter_values(key: &str) -> ServiceError {
    error::invalid_filter_value(format!("The filter {key} needs at least one value."))
}

/// The token of a next page is not one that was given.
pub(super) fn next_token() -> ServiceError {
    error::invalid_next_token("The specified token is not valid.")
}

/// Tags are of parameters alone.
pub(super) fn resource_type(kind: &str) -> ServiceError {
    error::invalid_resource_type(format!(
        "Resource type {kind} is not supported by this service yet"
    ))
}

/// There is no such parameter to tag.
pub(super) fn no_resource() -> ServiceError {
    error::invalid_resource_id("Invalid Resource Id")
}

/// A parameter would have too many tags.
pub(super) fn too_many_tags(max: usize) -> ServiceError {
    error::too_many_tags_error(format!("A parameter can have at most {max} tags."))
}

/// A tag's key is AWS's own.
pub(super) fn reserved_tag() -> ServiceError {
    validation("Tag keys that begin with aws: are reserved.")
}

/// There is no key that values are sealed under, or it is another one.
pub(super) fn no_key() -> ServiceError {
    error::invalid_key_id(
        "The key that values are kept under cannot be used: the service's own log says why.",
    )
}
