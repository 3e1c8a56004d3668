//! AWS CloudWatch Logs: the table of contents. Each operation is a function in the file of its
//! noun, and runs on a thread that may block.

mod desk;
mod events;
mod group;
mod live_tail;
mod names;
mod refusal;
mod stream;
mod tags;
mod token;

use desk::Desk;
use std::{io, sync::Arc, time::Duration};
use store::logs::LogStore;
use tokio::sync::Semaphore;
use wire::{
    Caller, ServiceError,
    logs::{
        CreateLogGroupRequest, CreateLogStreamRequest, DeleteLogGroupRequest,
        DeleteLogStreamRequest, DeleteRetentionPolicyRequest, DescribeLogGroupsRequest,
        DescribeLogGroupsResponse, DescribeLogStreamsRequest, DescribeLogStreamsResponse,
        FilterLogEventsRequest, FilterLogEventsResponse, GetLogEventsRequest, GetLogEventsResponse,
        ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
        ListTagsLogGroupResponse, Logs, PutLogEventsRequest, PutLogEventsResponse,
        PutRetentionPolicyRequest, StartLiveTailRequest, TagLogGroupRequest, TagResourceRequest,
        UntagLogGroupRequest, UntagResourceRequest,
    },
};

/// How often expired events are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// AWS: so many live tails at a time in an account.
const LIVE_TAILS_MAX: usize = 15;

/// What the operations of CloudWatch Logs work with.
#[derive(Clone, Debug)]
pub struct LogsService {
    store: LogStore,
    account_id: Arc<str>,
    live_tails: Arc<Semaphore>,
}

impl LogsService {
    /// Where the logs are.
    pub fn store(&self) -> &LogStore {
        &self.store
    }

    /// The service over `store`, for the account of twelve digits.
    pub fn new(store: LogStore, account_id: &str) -> Self {
        let live_tails = Arc::new(Semaphore::new(LIVE_TAILS_MAX));
        Self { store, account_id: account_id.into(), live_tails }
    }

    /// Opens a live tail: its frames, the first of which are there at once.
    pub async fn start_live_tail(
        &self,
        caller: &Caller,
        input: StartLiveTailRequest,
    ) -> Result<impl futures::Stream<Item = io::Result<bytes::Bytes>> + Send + use<>, ServiceError>
    {
        let seat = Arc::clone(&self.live_tails)
            .try_acquire_owned()
            .map_err(|_| refusal::too_many_live_tails(LIVE_TAILS_MAX))?;
        let tail = self.run(caller, |desk| live_tail::open(desk, input)).await?;
        Ok(live_tail::frames(tail, seat))
    }

    /// Removes expired events now and every hour, for as long as it is polled.
    pub async fn keep_swept(self) {
        let mut hours = tokio::time::interval(SWEEP_EVERY);
        loop {
            hours.tick().await;
            let store = self.store.clone();
            let swept = tokio::task::spawn_blocking(move || store.sweep(desk::now())).await;
            match swept {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(?error, "expired logs were not removed"),
                Err(error) => tracing::error!(%error, "expired logs were not removed"),
            }
        }
    }

    /// Runs an operation on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        operation: impl FnOnce(&Desk) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let desk = Desk {
            store: self.store.clone(),
            account_id: Arc::clone(&self.account_id),
            region: caller.region.clone(),
            request_id: caller.request_id.clone(),
            now: desk::now(),
        };
        tokio::task::spawn_blocking(move || operation(&desk)).await.unwrap_or_else(|error| {
            tracing::error!(request = caller.request_id, %error, "an operation did not end");
            Err(ServiceError::internal(&caller.request_id))
        })
    }
}

impl Logs for LogsService {
    async fn create_log_group(
        &self,
        caller: &Caller,
        input: CreateLogGroupRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, |desk| group::create(desk, input)).await
    }

    async fn delete_log_group(
        &self,
        caller: &Caller,
        input: DeleteLogGroupRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| group::delete(desk, &input)).await
    }

    async fn describe_log_groups(
        &self,
        caller: &Caller,
        input: DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, ServiceError> {
        self.run(caller, |desk| group::describe(desk, input)).await
    }

    async fn create_log_stream(
        &self,
        caller: &Caller,
        input: CreateLogStreamRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| stream::create(desk, &input)).await
    }

    async fn delete_log_stream(
        &self,
        caller: &Caller,
        input: DeleteLogStreamRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| stream::delete(desk, &input)).await
    }

    async fn describe_log_streams(
        &self,
        caller: &Caller,
        input: DescribeLogStreamsRequest,
    ) -> Result<DescribeLogStreamsResponse, ServiceError> {
        self.run(caller, |desk| stream::describe(desk, input)).await
    }

    async fn put_log_events(
        &self,
        caller: &Caller,
        input: PutLogEventsRequest,
    ) -> Result<PutLogEventsResponse, ServiceError> {
        self.run(caller, |desk| events::put(desk, input)).await
    }

    async fn get_log_events(
        &self,
        caller: &Caller,
        input: GetLogEventsRequest,
    ) -> Result<GetLogEventsResponse, ServiceError> {
        self.run(caller, move |desk| events::get(desk, &input)).await
    }

    async fn filter_log_events(
        &self,
        caller: &Caller,
        input: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, ServiceError> {
        self.run(caller, |desk| events::filter(desk, input)).await
    }

    async fn put_retention_policy(
        &self,
        caller: &Caller,
        input: PutRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| group::put_retention(desk, &input)).await
    }

    async fn delete_retention_policy(
        &self,
        caller: &Caller,
        input: DeleteRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| group::delete_retention(desk, &input)).await
    }

    async fn tag_resource(
        &self,
        caller: &Caller,
        input: TagResourceRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| tags::tag_resource(desk, &input)).await
    }

    async fn untag_resource(
        &self,
        caller: &Caller,
        input: UntagResourceRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| tags::untag_resource(desk, &input)).await
    }

    async fn list_tags_for_resource(
        &self,
        caller: &Caller,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, ServiceError> {
        self.run(caller, move |desk| tags::list_of_resource(desk, &input)).await
    }

    async fn tag_log_group(
        &self,
        caller: &Caller,
        input: TagLogGroupRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| tags::tag_group(desk, &input)).await
    }

    async fn untag_log_group(
        &self,
        caller: &Caller,
        input: UntagLogGroupRequest,
    ) -> Result<(), ServiceError> {
        self.run(caller, move |desk| tags::untag_group(desk, &input)).await
    }

    async fn list_tags_log_group(
        &self,
        caller: &Caller,
        input: ListTagsLogGroupRequest,
    ) -> Result<ListTagsLogGroupResponse, ServiceError> {
        self.run(caller, move |desk| tags::list_of_group(desk, &input)).await
    }
}

#[cfg(test)]
mod tests;
