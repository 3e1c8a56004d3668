//! Frames of AWS's event stream encoding.

/// One event of a stream, as the model declares it.
pub trait StreamEvent {
    /// The event's name, which the frame carries.
    fn kind(&self) -> &'static str;

    /// Whether it is an error that ends the stream.
    fn is_exception(&self) -> bool;

    /// The event's members as JSON.
    fn payload(&self) -> Vec<u8>;
}
