//! Commands that destroy name what they destroy and ask first.

use std::io::{self, IsTerminal, Write};

use crate::failure::{Failure, code, exit};

/// Asks whether to do `what`, such as "remove region quotes". `yes` is the option of that name.
///
/// # Errors
/// Nobody can be asked: a usage error, so that a script notices before anything is lost. The
/// answer is no: a failure.
pub(crate) fn ask(what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        let text = format!("this would {what}, and there is no terminal to ask at");
        return Err(Failure::new(code::NOT_CONFIRMED, text, "add --yes to do it unasked")
            .with_exit(exit::USAGE));
    }
    if answered(what) {
        return Ok(());
    }
    let text = format!("not confirmed: nothing was done (asked to {what})");
    Err(Failure::new(code::NOT_CONFIRMED, text, "answer `y`, or add --yes"))
}

/// Whether somebody sits there.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Puts the question; anything but yes means no.
pub(crate) fn answered(what: &str) -> bool {
    eprint!("{what}? [y/N] ");
    let mut answer = String::new();
    let asked = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer));
    asked.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
