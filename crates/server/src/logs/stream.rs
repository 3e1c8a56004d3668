//! CreateLogStream, DeleteLogStream, DescribeLogStreams.

use super::{desk::Desk, group::page_size, names, refusal, token};
use store::{
    Order,
    logs::{Stream, StreamOrder, StreamsPage},
};
use wire::{
    ServiceError,
    logs::{
        CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest,
        DescribeLogStreamsResponse, LogStream, OrderBy,
    },
};

/// Makes a stream.
pub(super) fn create(desk: &Desk, input: &CreateLogStreamRequest) -> Result<(), ServiceError> {
    let group = desk.group_id(&input.log_group_name)?;
    let made = desk.store.create_stream(group, &input.log_stream_name, desk.now);
    made.map(drop).map_err(|error| desk.told(error))
}

/// Deletes a stream and its events.
pub(super) fn delete(desk: &Desk, input: &DeleteLogStreamRequest) -> Result<(), ServiceError> {
    let group = desk.group_id(&input.log_group_name)?;
    let stream = desk.store.stream_id(group, &input.log_stream_name);
    stream.and_then(|id| desk.store.delete_stream(id)).map_err(|error| desk.told(error))
}

/// Describes a page of a group's streams.
pub(super) fn describe(
    desk: &Desk,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, ServiceError> {
    let (name, identifier) = (&input.log_group_name, &input.log_group_identifier);
    let name = names::one_of(desk, name.as_deref(), identifier.as_deref())?;
    let by_event = matches!(input.order_by, Some(OrderBy::LastEventTime));
    if by_event && input.log_stream_name_prefix.is_some() {
        return Err(refusal::prefix_and_last_event());
    }
    let after = input.next_token.as_deref().map(token::place).transpose()?;
    let by = if by_event {
        StreamOrder::LastEvent { after: after.as_deref().map(time_and_name).transpose()? }
    } else {
        StreamOrder::Name { prefix: input.log_stream_name_prefix.unwrap_or_default(), after }
    };
    let descending = input.descending.unwrap_or(false);
    let order = if descending { Order::Descending } else { Order::Ascending };
    let limit = page_size(input.limit);
    let group = desk.group_id(name)?;
    // One more says whether there is a next page.
    let page = StreamsPage { by, order, limit: limit + 1 };
    let mut streams = desk.store.streams(group, &page).map_err(|error| desk.told(error))?;
    let more = streams.len() > limit;
    streams.truncate(limit);
    let next_token = streams.last().filter(|_| more).map(|last| {
        let time = last.last_event_at.unwrap_or(0);
        token::after(&if by_event { format!("{time} {}", last.name) } else { last.name.clone() })
    });
    let log_streams = streams.into_iter().map(|stream| view(desk, name, stream)).collect();
    Ok(DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
}

fn time_and_name(place: &str) -> Result<(i64, String), ServiceError> {
    let (time, name) = place.split_once(' ').ok_or_else(refusal::token)?;
    Ok((time.parse().map_err(|_| refusal::token())?, name.to_owned()))
}

fn view(desk: &Desk, group: &str, stream: Stream) -> LogStream {
    LogStream {
        arn: Some(names::stream_arn(desk, group, &stream.name)),
        log_stream_name: Some(stream.name),
        creation_time: Some(stream.created_at),
        first_event_timestamp: stream.first_event_at,
        last_event_timestamp: stream.last_event_at,
        last_ingestion_time: stream.last_ingested_at,
        upload_sequence_token: None,
        // AWS: only groups have a size; a stream's is 0 whatever is in it.
        stored_bytes: Some(0),
    }
}
