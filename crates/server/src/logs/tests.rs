//! Tests of CloudWatch Logs.
