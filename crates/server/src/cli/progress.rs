//! A bar that shows how far it is with an image, where somebody looks.

use executor::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often it is looked how far it is.
const EVERY: Duration = Duration::from_millis(100);
/// How long it takes before there is a bar at all.
const QUIET: u32 = 3;

/// A bar on standard error. It is gone when this is dropped.
pub(super) struct Bar {
    ended: Option<Sender<()>>,
    drawing: Option<JoinHandle<()>>,
}

impl Bar {
    /// A bar for what goes on; none where standard error is no terminal.
    pub(super) fn show(name: &str, progress: Arc<Progress>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { ended: None, drawing: None };
        }
        let (ended, end) = channel::<()>();
        let name = name.to_owned();
        let drawing = thread::spawn(move || {
            let mut looked = 0;
            let mut bar = None;
            while end.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                looked += 1;
                if looked >= QUIET && progress.total_bytes() > 0 {
                    let bar = bar.get_or_insert_with(|| new_bar(&name));
                    bar.set_length(progress.total_bytes());
                    bar.set_position(progress.bytes());
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Self { ended: Some(ended), drawing: Some(drawing) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(drawing) = self.drawing.take() {
            // A bar that could not be drawn is no reason to fail.
            let _ = drawing.join();
        }
    }
}

fn new_bar(name: &str) -> ProgressBar {
    let template =
        "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is one");
    let bar = ProgressBar::new(0).with_style(style.progress_chars("=> "));
    bar.set_message(name.to_owned());
    bar
}
