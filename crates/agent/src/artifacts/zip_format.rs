//! The bytes of a ZIP that are not the files' own: headers, descriptors and the directory at its
//! end. Pure.
//!
//! Written here because entries are compressed on several threads, and one large file by several at
//! once, which crates do not offer. The format is PKWARE's APPNOTE 6.3; numbers that outgrow its
//! fields stand in the ZIP64 ones.

use crate::calendar;
use std::time::{SystemTime, UNIX_EPOCH};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const DIRECTORY_HEADER: u32 = 0x0201_4b50;
const END_ZIP64: u32 = 0x0606_4b50;
const END_ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

const EXTRA_ZIP64: u16 = 0x0001;
/// Info-ZIP's: the moment in seconds since 1970, which the format's own fields cannot say.
const EXTRA_MOMENT: u16 = 0x5455;

const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
const SYSTEM_UNIX: u16 = 3 << 8;
/// In a field of 32 or of 16 bits: the number stands in the ZIP64 field.
const ELSEWHERE: u32 = u32::MAX;
const ELSEWHERE_SHORT: u16 = u16::MAX;
/// The 1st of January 1980, for moments that the format's own fields do not reach.
const DATE_MIN: u16 = (1 << 5) | 1;

/// Files of this length or more have ZIP64 fields. It stays below what the plain fields hold, as
/// data that cannot be compressed grows a little.
const PLAIN_LENGTH_MAX: u64 = 0xf000_0000;

/// How an entry's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As they are.
    Stored,
    /// As a raw deflate stream.
    Deflated,
}

/// What an entry is, known before any of its bytes.
#[derive(Clone, Debug)]
pub(super) struct About<'a> {
    /// Its name, with `/` between folders.
    pub(super) name: &'a [u8],
    /// Type and permissions, as `st_mode` has them.
    pub(super) mode: u32,
    /// When it was changed last.
    pub(super) modified: Option<SystemTime>,
    /// How many bytes it has at most.
    pub(super) length_max: u64,
}

/// An entry's bytes, known after the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    /// How the bytes are kept.
    pub(super) method: Method,
    /// Their CRC-32.
    pub(super) crc: u32,
    /// How many there are.
    pub(super) length: u64,
    /// How many are kept.
    pub(super) kept: u64,
}

impl About<'_> {
    /// The header before an entry, without its sums when they follow in a descriptor.
    pub(super) fn local_header(&self, sums: Option<Sums>, into: &mut Vec<u8>) {
        let zip64 = self.is_large();
        let flags = self.flags(sums.is_none());
        let (date, time) = self.date();
        let method = sums.map_or(Method::Deflated, |sums| sums.method);
        let field = |number: u64| if zip64 { ELSEWHERE } else { small(number) };
        let Sums { crc, length, kept, .. } =
            sums.unwrap_or(Sums { method, crc: 0, length: 0, kept: 0 });
        put32(into, LOCAL_HEADER);
        for number in [self.version(), flags, method_number(method), time, date] {
            put16(into, number);
        }
        for number in [crc, field(kept), field(length)] {
            put32(into, number);
        }
        let mut extra = Vec::with_capacity(32);
        if zip64 {
            put_extra64(&mut extra, &[length, kept]);
        }
        self.put_moment(&mut extra);
        put16(into, short(self.name.len()));
        put16(into, short(extra.len()));
        into.extend_from_slice(self.name);
        into.extend_from_slice(&extra);
    }

    /// The sums behind an entry whose header came without them.
    pub(super) fn descriptor(&self, sums: Sums, into: &mut Vec<u8>) {
        put32(into, DESCRIPTOR);
        put32(into, sums.crc);
        for number in [sums.kept, sums.length] {
            if self.is_large() { put64(into, number) } else { put32(into, small(number)) }
        }
    }

    /// The entry's line in the directory; `at` is where its header stands in the file.
    pub(super) fn directory_header(&self, sums: Sums, has_descriptor: bool, at: u64) -> Vec<u8> {
        let mut into = Vec::with_capacity(46 + self.name.len() + 40);
        let large = self.is_large();
        let far = at >= u64::from(ELSEWHERE);
        let (date, time) = self.date();
        let mut extra = Vec::with_capacity(40);
        let lengths = [sums.length, sums.kept].into_iter().filter(|_| large);
        let numbers: Vec<u64> = lengths.chain(Some(at).filter(|_| far)).collect();
        if !numbers.is_empty() {
            put_extra64(&mut extra, &numbers);
        }
        self.put_moment(&mut extra);
        let version = if numbers.is_empty() { VERSION } else { VERSION_ZIP64 };
        let field = |number: u64| if large { ELSEWHERE } else { small(number) };
        put32(&mut into, DIRECTORY_HEADER);
        let flags = self.flags(has_descriptor);
        let method = method_number(sums.method);
        for number in [SYSTEM_UNIX | version, version, flags, method, time, date] {
            put16(&mut into, number);
        }
        for number in [sums.crc, field(sums.kept), field(sums.length)] {
            put32(&mut into, number);
        }
        let (comment, disk, internal) = (0, 0, 0);
        for number in [short(self.name.len()), short(extra.len()), comment, disk, internal] {
            put16(&mut into, number);
        }
        put32(&mut into, self.mode << 16);
        put32(&mut into, if far { ELSEWHERE } else { small(at) });
        into.extend_from_slice(self.name);
        into.extend_from_slice(&extra);
        into
    }

    fn is_large(&self) -> bool {
        self.length_max >= PLAIN_LENGTH_MAX
    }

    fn version(&self) -> u16 {
        if self.is_large() { VERSION_ZIP64 } else { VERSION }
    }

    fn flags(&self, has_descriptor: bool) -> u16 {
        // Without the flag a name is bytes of any encoding, which those of ASCII are in all.
        let utf8 = !self.name.is_ascii() && str::from_utf8(self.name).is_ok();
        (if utf8 { FLAG_UTF8 } else { 0 }) | (if has_descriptor { FLAG_DESCRIPTOR } else { 0 })
    }

    fn seconds(&self) -> Option<u64> {
        let since = self.modified?.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    /// The format's own fields, in UTC, which reach from 1980 to 2107 in steps of two seconds.
    fn date(&self) -> (u16, u16) {
        let Some(seconds) = self.seconds() else { return (DATE_MIN, 0) };
        let (year, month, day) = calendar::date(seconds / 86_400);
        if !(1980..=2107).contains(&year) {
            return (DATE_MIN, 0);
        }
        let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
        let date = ((year - 1980) << 9) | (month << 5) | day;
        let time = (hour << 11) | (minute << 5) | (seconds % 60 / 2);
        (low16(date), low16(time))
    }

    fn put_moment(&self, extra: &mut Vec<u8>) {
        let Some(seconds) = self.seconds().and_then(|seconds| i32::try_from(seconds).ok()) else {
            return;
        };
        put16(extra, EXTRA_MOMENT);
        put16(extra, 5);
        extra.push(1);
        extra.extend_from_slice(&seconds.to_le_bytes());
    }
}

/// What stands behind the directory: where it is, and how many entries it has.
pub(super) fn end(entries: u64, length: u64, at: u64) -> Vec<u8> {
    let mut into = Vec::with_capacity(98);
    let fits = entries < u64::from(ELSEWHERE_SHORT)
        && length < u64::from(ELSEWHERE)
        && at < u64::from(ELSEWHERE);
    if !fits {
        put32(&mut into, END_ZIP64);
        // The length of what follows this number.
        put64(&mut into, 44);
        put16(&mut into, SYSTEM_UNIX | VERSION_ZIP64);
        put16(&mut into, VERSION_ZIP64);
        // The number of this disk, and of the one that the directory begins on.
        put64(&mut into, 0);
        for number in [entries, entries, length, at] {
            put64(&mut into, number);
        }
        put32(&mut into, END_ZIP64_LOCATOR);
        put32(&mut into, 0);
        put64(&mut into, at + length);
        put32(&mut into, 1);
    }
    put32(&mut into, END);
    put32(&mut into, 0);
    let entries = u16::try_from(entries).unwrap_or(ELSEWHERE_SHORT);
    put16(&mut into, entries);
    put16(&mut into, entries);
    put32(&mut into, small(length));
    put32(&mut into, small(at));
    put16(&mut into, 0);
    into
}

fn method_number(method: Method) -> u16 {
    match method {
        Method::Stored => 0,
        Method::Deflated => 8,
    }
}

fn put_extra64(extra: &mut Vec<u8>, numbers: &[u64]) {
    put16(extra, EXTRA_ZIP64);
    put16(extra, short(numbers.len() * 8));
    for number in numbers {
        put64(extra, *number);
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(ELSEWHERE)
}

/// A length of a name or of extra fields; paths are shorter than 4 KiB.
fn short(length: usize) -> u16 {
    u16::try_from(length).expect("a path is shorter than 64 KiB")
}

fn low16(number: u64) -> u16 {
    u16::try_from(number & 0xffff).expect("sixteen bits fit")
}

fn put16(into: &mut Vec<u8>, number: u16) {
    into.extend_from_slice(&number.to_le_bytes());
}

fn put32(into: &mut Vec<u8>, number: u32) {
    into.extend_from_slice(&number.to_le_bytes());
}

fn put64(into: &mut Vec<u8>, number: u64) {
    into.extend_from_slice(&number.to_le_bytes());
}
