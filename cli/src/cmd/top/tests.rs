use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use vug::{Attributes, Statistics};

use super::app::{App, Screen, Sort};
use super::text;
use crate::observe::{Figures, HomeView, RegionView, View};

fn region(name: &str, entries: u64, gets: u64) -> RegionView {
    let mut statistics = Statistics::default();
    (statistics.entries, statistics.max_bytes, statistics.ring_len) = (entries, 1 << 20, 4096);
    (statistics.live_bytes, statistics.dead_bytes) = (entries * 1000, 100_000);
    (statistics.counters.gets, statistics.counters.hits) = (gets, gets / 2);
    let figures = Figures { attributes: Attributes::default(), statistics, members: Vec::new() };
    RegionView { name: name.into(), found: Ok(Box::new(figures)) }
}

fn view(at: Instant, gets: u64) -> View {
    let broken = RegionView { name: "broken".into(), found: Err("it is damaged".into()) };
    let home = HomeView {
        home: PathBuf::from("/dev/shm/vug-test"),
        failure: None,
        origin: 7,
        bridge: Some(42),
        members: Vec::new(),
        regions: vec![region("alpha", 100, 0), region("beta", 900, gets), broken],
    };
    View { at, homes: vec![home] }
}

/// Between two looks, a second apart, one region had 10,000 reads.
fn app() -> App {
    let mut app = App::new(Duration::from_secs(1), false);
    let start = Instant::now();
    app.take(view(start, 0));
    app.take(view(start + Duration::from_secs(1), 10_000));
    app
}

fn press(app: &mut App, code: KeyCode) {
    app.press(KeyEvent::new(code, KeyModifiers::NONE));
}

fn selected(app: &App) -> String {
    app.selected().map(|row| row.region.name.clone()).unwrap_or_default()
}

#[test]
fn a_frame_of_eighty_columns() {
    let frame = text(&app(), 80, 24).unwrap();
    let lines: Vec<&str> = frame.lines().collect();
    assert_eq!(lines.len(), 24, "{frame}");
    assert!(lines.iter().all(|line| line.len() <= 80), "{frame}");
    assert_eq!(lines[0], "vug top  /dev/shm/vug-test  node 7  bridge 42  0 members");
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    let head = "REGION ENTRIES MEMORY USE GET/S HIT PUT/S DEL/S EVT/S LAG PINS MEM";
    assert_eq!(words(2).join(" "), head);
    let alpha = ["> alpha", "100", "#+......", "19%", "0", "-", "0", "0", "0", "0", "0", "0"];
    assert_eq!(words(3).join(" "), alpha.join(" "));
    let beta = ["beta", "900", "#######+", "95%", "10.0k", "50.0%", "0", "0", "0", "0", "0", "0"];
    assert_eq!(words(4).join(" "), beta.join(" "));
    assert!(lines[5].contains("broken") && lines[5].contains("it is da"), "{frame}");
    assert!(frame.contains("nobody has it open"), "{frame}");
    assert!(lines[23].contains("q quit"), "{frame}");
}

#[test]
fn every_screen_fits_into_every_terminal() {
    let mut app = app();
    for screen in [Screen::Regions, Screen::Details, Screen::Help] {
        app.screen = screen;
        for (width, height) in [(1, 1), (10, 3), (20, 5), (79, 24), (80, 24), (300, 100)] {
            text(&app, width, height).unwrap();
        }
    }
    app.screen = Screen::Help;
    let help = text(&app, 80, 24).unwrap();
    assert!(help.contains("joins and writes nothing."), "nothing is cut off: {help}");
    text(&App::new(Duration::from_secs(1), true), 80, 24).unwrap();
}

#[test]
fn keys_select_sort_and_lead_back() {
    let mut app = app();
    assert_eq!(selected(&app), "alpha");
    press(&mut app, KeyCode::Char('j'));
    assert_eq!(selected(&app), "beta");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Down);
    assert_eq!(selected(&app), "broken", "the last one");
    press(&mut app, KeyCode::Up);
    press(&mut app, KeyCode::Char('s'));
    assert_eq!((app.sort, app.place()), (Sort::Entries, 0), "the selected region moved up");
    assert_eq!(selected(&app), "beta");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.screen, Screen::Details);
    let details = text(&app, 80, 24).unwrap();
    assert!(details.contains("gets") && details.contains("10.0k"), "{details}");
    press(&mut app, KeyCode::Char('q'));
    assert!(app.screen == Screen::Regions && !app.is_over());
    press(&mut app, KeyCode::Char('?'));
    assert_eq!(app.screen, Screen::Help);
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Char('p'));
    assert!(app.is_paused() && text(&app, 80, 24).unwrap().contains("PAUSED"));
    press(&mut app, KeyCode::Char('q'));
    assert!(app.is_over());
    let mut other = self::app();
    other.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(other.is_over());
}
