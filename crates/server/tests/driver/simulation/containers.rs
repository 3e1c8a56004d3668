//! An executor that keeps the contract on a simulated machine: what it makes outlives the service.

use super::machine::{Hands, Lasting};
use async_trait::async_trait;
use executor::{Container, ContainerId, ContainerSpec, Executor, Exit, Fault, Image, LaunchError};
use std::{io, time::Duration};
use tokio::time::sleep;

fn refused(doing: &str) -> Fault {
    Fault::new(doing, io::Error::other("the machine is in trouble"))
}

#[async_trait]
impl Executor for Hands {
    async fn image_environment(&self, _: &Image) -> Result<Vec<(String, String)>, LaunchError> {
        Ok(Vec::new())
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Container, LaunchError> {
        let (at, id) = (self.0.at(), &spec.id);
        let launch = |lasting: &mut Lasting| {
            if lasting.dice.hits(20, "launch fails", id.as_str()) {
                lasting.not_launched.insert(id.as_str().to_owned());
                return Err(refused("launch").into());
            }
            if !lasting.containers.contains_key(id) {
                lasting.begin(id, at);
            }
            Ok(Container::with(Vec::new()))
        };
        self.0.slow_call("launch", id.as_str(), launch).await
    }

    async fn watch(&self, id: &ContainerId) -> Exit {
        let ended = self.0.lock().containers.get(id).map(|container| container.ended.subscribe());
        let Some(mut ended) = ended else { return Exit::NeverStarted };
        match ended.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().unwrap_or(Exit::Lost),
            Err(_) => Exit::Lost,
        }
    }

    async fn destroy(&self, id: &ContainerId) -> Result<(), Fault> {
        let trouble = self.0.lock().dice.below(40, "destroy fails", id.as_str());
        if trouble == 0 {
            // Longer than anybody waits for it.
            sleep(Duration::from_secs(70)).await;
        }
        let destroy = |lasting: &mut Lasting| {
            if trouble == 1 {
                return Err(refused("destroy"));
            }
            if let Some(container) = lasting.containers.remove(id) {
                container.ended.send_replace(Some(Exit::Killed { signal: 9 }));
            }
            Ok(())
        };
        self.0.slow_call("destroy", id.as_str(), destroy).await
    }

    async fn list(&self) -> Result<Vec<ContainerId>, Fault> {
        let list = |lasting: &mut Lasting| Ok(lasting.containers.keys().cloned().collect());
        self.0.slow_call("list", "", list).await
    }
}
