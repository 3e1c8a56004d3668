//! Forms and XML.

use crate::query::Form;
use crate::sts;

#[test]
fn a_form_is_decoded_in_order() {
    let form = Form::parse(b"Action=GetCallerIdentity&a%2Eb=x+y%20z%26&&empty=&flag&a.b=second");
    assert_eq!(form.action(), Some("GetCallerIdentity"));
    assert_eq!(form.get("a.b"), Some("x y z&"));
    assert_eq!(form.get("empty"), Some(""));
    assert_eq!(form.get("flag"), Some(""));
    assert_eq!(form.get("missing"), None);
}

#[test]
fn a_service_has_its_models_names() {
    assert_eq!(sts::SERVICE.name, "sts");
    assert!(sts::SERVICE.knows("AssumeRole"));
    assert!(!sts::SERVICE.knows("StartBuild"));
}
