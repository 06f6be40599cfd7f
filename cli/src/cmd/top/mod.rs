//! `vug top`: regions and members, live.

mod app;
mod draw;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal;

use self::app::App;
use super::{Context, no_node, stdout};
use crate::args::Top;
use crate::failure::{Failure, code};
use crate::interrupt::Interrupt;
use crate::observe::View;
use crate::render::Format;

/// Longest sleep in which a signal may go unnoticed.
const NAP: Duration = Duration::from_millis(100);
/// Width of a frame for nobody's terminal.
const WIDTH: u16 = 100;

pub(super) fn run(context: &Context, args: &Top) -> Result<(), Failure> {
    if context.format.is_some_and(|format| format != Format::Table) {
        return Err(Failure::usage(
            "`vug top` draws for people and has no other format",
            "`vug stat --watch --format jsonl` writes the same figures for programs",
        ));
    }
    let homes = homes(context, args)?;
    if args.once {
        return once(&homes, args.interval);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "`vug top` needs a terminal, and standard input or output is none",
            "`vug top --once` prints one frame, `vug stat --watch` a line per interval",
        ));
    }
    live(&homes, args.interval)
}

/// The homes to show. One that is not there at the start is an error; later it may come and go.
fn homes(context: &Context, args: &Top) -> Result<Vec<PathBuf>, Failure> {
    let mut homes = args.homes.clone();
    if homes.is_empty() {
        homes.push(context.home.clone());
    }
    homes.sort();
    homes.dedup();
    // Of many, as a pattern names them, some may be something else.
    if !homes.iter().any(|home| home.join("node").exists()) {
        return Err(no_node(&homes[0]));
    }
    if homes.len() > 1 {
        homes.retain(|home| home.join("node").exists());
    }
    Ok(homes)
}

/// One frame as text, as high as it needs.
fn once(homes: &[PathBuf], interval: Duration) -> Result<(), Failure> {
    let mut app = App::new(interval, false);
    app.take(View::look(homes));
    std::thread::sleep(interval);
    app.take(View::look(homes));
    let width =
        terminal::size().ok().filter(|_| io::stdout().is_terminal()).map(|(width, _)| width);
    let frame = text(&app, width.unwrap_or(WIDTH), app.height())?;
    let mut out = stdout();
    let written = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
    written.map_err(|cause| Failure::output(&cause))
}

/// The frame that a terminal of this size would show.
fn text(app: &App, width: u16, height: u16) -> Result<String, Failure> {
    let mut terminal = Terminal::new(TestBackend::new(width, height))
        .map_err(|cause| Failure::new(code::OUTPUT, cause.to_string(), "report this"))?;
    let _ = terminal.draw(|frame| draw::draw(frame, app));
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(width.max(1))) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
    Ok(text)
}

/// Gives the terminal back however the command ends; a panic does so, too, through the hook that
/// `ratatui` sets.
struct Screen;

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn live(homes: &[PathBuf], interval: Duration) -> Result<(), Failure> {
    let stop = Interrupt::listen()?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut app = App::new(interval, colour);
    let mut terminal = ratatui::try_init().map_err(|cause| terminal_failed(&cause))?;
    let _screen = Screen;
    let mut due = Instant::now();
    while !stop.is_raised() && !app.is_over() {
        if !app.is_paused() && Instant::now() >= due {
            app.take(View::look(homes));
            // A look that takes longer than the interval does not keep keys from being read.
            due = (due + interval).max(Instant::now() + NAP);
        }
        terminal.draw(|frame| draw::draw(frame, &app)).map_err(|cause| terminal_failed(&cause))?;
        let left = due.saturating_duration_since(Instant::now());
        let nap = if app.is_paused() { NAP } else { left.min(NAP) };
        handle(&mut app, nap).map_err(|cause| terminal_failed(&cause))?;
    }
    Ok(())
}

/// Waits for something to happen and takes all of it.
///
/// The wait is not left to `event::poll`: it never comes back from a terminal that is gone.
fn handle(app: &mut App, nap: Duration) -> io::Result<()> {
    let stdin = io::stdin();
    let mut input = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut input, PollTimeout::try_from(nap).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(cause) => return Err(cause.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    if input[0].revents().is_some_and(|events| events.intersects(gone)) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was closed"));
    }
    while event::poll(Duration::ZERO)? {
        if let Event::Key(key) = event::read()? {
            app.press(key);
        }
    }
    Ok(())
}

fn terminal_failed(cause: &io::Error) -> Failure {
    let text = format!("the terminal cannot be used: {cause}");
    Failure::new(code::OUTPUT, text, "`vug top --once` prints one frame without a terminal")
}

#[cfg(test)]
mod tests;
