//! Entries of a binary dump as rows.

use std::io::Read;

use super::{Choice, Fault, Place, Row, State};
use crate::dump::{DumpReader, Item, Trouble};
use crate::failure::{Failure, code, exit};

pub(crate) struct DumpRows<R: Read> {
    reader: DumpReader<R>,
    choice: Choice,
    ended: bool,
}

impl<R: Read> DumpRows<R> {
    /// Reads the header.
    pub(crate) fn open(input: R, choice: Choice) -> Result<Self, Fault> {
        match DumpReader::open(input) {
            Ok(reader) => Ok(Self { reader, choice, ended: false }),
            Err(trouble) => Err(fault(&choice, trouble, 0)),
        }
    }

    pub(super) fn go_on(self, input: R, place: Place) -> Self {
        let reader = self.reader.go_on(input, place.offset, place.lines);
        Self { reader, choice: self.choice, ended: false }
    }

    pub(super) fn place(&self) -> Place {
        let (offset, lines) = self.reader.place();
        Place { offset, lines }
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Option<Result<(), Fault>> {
        if self.ended {
            return None;
        }
        match self.reader.next() {
            Ok(Item::Entry) => {}
            Ok(Item::End) => {
                self.ended = true;
                return None;
            }
            Err(trouble) => {
                self.ended = true;
                return Some(Err(fault(&self.choice, trouble, self.reader.entries())));
            }
        }
        let entry = self.reader.entry();
        row.key.clear();
        row.key.extend_from_slice(entry.key);
        row.value.clear();
        row.value.extend_from_slice(entry.value);
        row.line = self.reader.entries();
        row.state = State { invalid: entry.kind != 1, deadline: entry.deadline };
        Some(Ok(()))
    }
}

/// A dump that is not whole is damaged; that nobody can read on in it is the same in every case.
fn fault(choice: &Choice, trouble: Trouble, entries: u64) -> Fault {
    let input = &choice.input;
    match trouble {
        Trouble::Input(cause) => choice.broken(entries + 1, &cause),
        Trouble::Unknown(what) => Fault::fatal(Failure::new(
            code::DUMP,
            format!("{input}: {what}"),
            "give a file that `vug export --to dump` wrote, or say with --from what it is",
        )),
        Trouble::Damaged(what) => Fault::fatal(
            Failure::new(
                code::DUMP,
                format!("{input}: {what}"),
                "copy the dump anew from where it was made; --unchecked takes what is before \
                 the damage",
            )
            .with_exit(exit::DAMAGED),
        ),
    }
}
