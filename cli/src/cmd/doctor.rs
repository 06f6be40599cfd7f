//! `vug doctor`

use std::io::Write;

use vug::doctor::{Finding, Fix, Severity, examine, mend};

use super::{Context, stdout};
use crate::args::Doctor;
use crate::consent;
use crate::failure::{Failure, code, exit};
use crate::render::{Cell, Format, Sheet};

pub(super) fn run(context: &Context, args: &Doctor) -> Result<(), Failure> {
    context.require_home()?;
    let mut findings = examine(&context.home)?;
    let mut left = Left::default();
    if args.fix {
        left = treat(context, args, &findings);
        findings = examine(&context.home)?;
    }
    if !args.all {
        findings.retain(|finding| finding.severity > Severity::Info);
    }
    write(context.format(), &findings)?;
    verdict(&findings, &left)
}

/// What was not done.
#[derive(Debug, Default)]
struct Left {
    /// And why.
    alone: Vec<String>,
    /// Because nobody could be asked.
    unasked: Vec<String>,
}

/// Applies every remedy once; returns what could not be done.
fn treat(context: &Context, args: &Doctor, findings: &[Finding]) -> Left {
    let mut fixes: Vec<&Fix> = Vec::new();
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        if !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    // Recovery opens the regions: what cannot be opened goes first.
    fixes.sort_by_key(|fix| matches!(fix, Fix::Recover));
    let mut left = Left::default();
    for fix in fixes {
        let what = match fix {
            Fix::Remove(path) => format!("remove {}", path.display()),
            _ => "recover dead members".to_owned(),
        };
        let ask = fix.needs_consent() && !args.yes;
        if ask && !consent::can_ask() {
            left.unasked.push(what);
        } else if ask && !consent::answered(&what) {
            left.alone.push(format!("{what}: not confirmed"));
        } else if let Err(error) = mend(&context.home, fix) {
            left.alone.push(format!("{what}: {error}"));
        } else {
            eprintln!("done: {what}");
        }
    }
    left
}

fn write(format: Format, findings: &[Finding]) -> Result<(), Failure> {
    let mut sheet = Sheet::new(&["severity", "kind", "place", "finding", "remedy", "fixable"]);
    for finding in findings {
        sheet.push(vec![
            Cell::text(finding.severity),
            Cell::text(finding.kind),
            Cell::text(&finding.place),
            Cell::text(&finding.what),
            Cell::text(&finding.remedy),
            Cell::Flag(finding.fix.is_some()),
        ]);
    }
    if format != Format::Table {
        return sheet.write(&mut stdout(), format);
    }
    let mut out = stdout();
    let written = out.write_all(text(findings).as_bytes()).and_then(|()| out.flush());
    written.map_err(|cause| Failure::output(&cause))
}

/// Findings that differ in what was found only are one paragraph.
fn text(findings: &[Finding]) -> String {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let key = |finding: &Finding| (finding.severity, finding.kind, finding.place.clone());
    for finding in findings {
        match groups.iter_mut().find(|group| key(group[0]) == key(finding)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let width = groups.iter().map(|group| group[0].kind.len()).max().unwrap_or(0);
    let mut text = String::new();
    for group in &groups {
        let Finding { severity, kind, place, .. } = group[0];
        text.push_str(&format!("{severity:8}  {kind:width$}  {place}\n"));
        let mut remedy = "";
        for finding in group {
            text.push_str(&format!("          {}\n", finding.what));
            remedy = &finding.remedy;
        }
        if !remedy.is_empty() {
            text.push_str(&format!("          -> {remedy}\n"));
        }
        text.push('\n');
    }
    text.push_str(&summary(findings));
    text
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let (critical, warnings) = (count(Severity::Critical), count(Severity::Warning));
    match (critical + warnings, count(Severity::Info)) {
        (0, 0) => "nothing is wrong\n".into(),
        (0, notes) => format!("nothing is wrong; {notes} good to know\n"),
        (_, notes) => {
            let notes = if notes == 0 { String::new() } else { format!(", {notes} good to know") };
            format!("{critical} critical, {warnings} warnings{notes}\n")
        }
    }
}

/// Damage is 3, what nobody could be asked about 2, anything else above an information 1.
fn verdict(findings: &[Finding], left: &Left) -> Result<(), Failure> {
    let serious = findings.iter().filter(|finding| finding.severity > Severity::Info).count();
    let damaged = findings.iter().any(|finding| {
        finding.severity == Severity::Critical
            && ["damage", "unusable-file"].contains(&finding.kind)
    });
    if serious == 0 && left.alone.is_empty() && left.unasked.is_empty() {
        return Ok(());
    }
    if !left.unasked.is_empty() {
        let what = left.unasked.join("; ");
        let text = format!("this would {what}, and there is no terminal to ask at");
        let exit = if damaged { exit::DAMAGED } else { exit::USAGE };
        let failure = Failure::new(code::NOT_CONFIRMED, text, "add --yes to do it unasked");
        return Err(failure.with_exit(exit));
    }
    let fixable = findings.iter().filter(|finding| finding.fix.is_some()).count();
    let text = format!("{serious} findings");
    let help = match (fixable, &left.alone[..]) {
        (0, []) => "see the remedies above".to_owned(),
        (_, []) => format!("`vug doctor --fix` mends {fixable} of them"),
        (_, left) => format!("left alone: {}; --yes confirms", left.join("; ")),
    };
    let exit = if damaged { exit::DAMAGED } else { exit::FAILED };
    Err(Failure::new(code::FINDINGS, text, help).with_exit(exit))
}
