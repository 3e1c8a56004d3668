//! What is under way, for whoever asks.

use super::Turns;
use crate::driver::{Counts, Message, Survey};
use build_core::Stage;
use std::collections::HashMap;

impl Turns {
    /// Answers somebody who asks about all builds, while no commit is under way.
    pub(super) fn answer(&mut self, question: Message) {
        match question {
            Message::Count(reply) => drop(reply.send(self.counts())),
            Message::Survey(region, reply) => drop(reply.send(self.survey(&region))),
            Message::Drain(reply) => {
                self.draining = true;
                let running = self.live.values().filter(|live| live.build.stage != Stage::Queued);
                let _ = reply.send(running.map(|live| live.build.id().clone()).collect());
            }
            Message::Submit(..) | Message::Stop(..) | Message::Inputs(..) => {
                unreachable!("the caller looked")
            }
        }
    }

    /// How many builds are where.
    fn counts(&self) -> Counts {
        let mut counts = Counts {
            queued: self.waiting.len(),
            running: self.running.builds(),
            ..Counts::default()
        };
        for live in self.live.values() {
            match live.build.stage {
                Stage::Queued => {
                    let at = live.build.submitted.received_at;
                    counts.queued_since = Some(counts.queued_since.map_or(at, |min| min.min(at)));
                }
                Stage::Provisioning => counts.provisioning += 1,
                Stage::Ending { .. } => counts.ending += 1,
                Stage::Running | Stage::Finished { .. } => {}
            }
        }
        counts
    }

    /// What is under way in a region.
    fn survey(&self, region: &str) -> Survey {
        let mut live: Vec<_> =
            self.live.values().filter(|live| live.request.region == region).collect();
        live.sort_unstable_by_key(|live| live.order);
        let running = live.iter().filter(|live| live.build.stage != Stage::Queued);
        let reasons: HashMap<_, _> = self.waiting.reasons(&self.running, self.capacity).collect();
        let waiting = live.iter().filter_map(|live| {
            let id = live.build.id();
            reasons.get(id).map(|wait| (id.clone(), *wait))
        });
        Survey {
            running: running.map(|live| live.build.id().clone()).collect(),
            waiting: waiting.collect(),
            counts: self.counts(),
            memory_bytes: self.running.memory_bytes(),
            draining: self.draining,
        }
    }
}
