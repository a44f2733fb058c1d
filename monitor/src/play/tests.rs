//! Right and wrong letters of permissions.

use super::*;

#[test]
fn permissions_are_given_and_taken() {
    assert_eq!(change(Perm::R, &["+w", "+u"]), Ok(Perm::URW));
    assert_eq!(change(Perm::URW, &["-uw"]), Ok(Perm::R));
    assert_eq!(change(Perm::R, &["+w", "-w"]), Ok(Perm::R));
    for bad in ["-r+w", "", "w", "+", "-", "+q", "+W", "+ä", "\u{1F980}"] {
        let error = change(Perm::R, &["+w", bad]);
        assert!(matches!(error, Err(CommandError::BadWord { word, .. }) if word == bad), "{bad}");
    }
}
