//! The user that commands run as, from the environment's own files: the agent has no name service.

use crate::layout::Layout;
use rustix::process::{Gid, Uid};
use std::path::Path;

/// A user of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The name.
    pub(crate) name: String,
    /// The number.
    pub(crate) uid: u32,
    /// The number of the user's own group.
    pub(crate) gid: u32,
    /// The numbers of all groups that the user is in, the own one first.
    pub(crate) groups: Vec<u32>,
    /// The home folder.
    pub(crate) home: String,
}

impl User {
    /// Looks a name up, or a user's number.
    pub(crate) fn find(layout: &Layout, name: &str) -> Option<Self> {
        Self::parse(&lossy(&layout.passwd()), &lossy(&layout.group()), name)
    }

    fn parse(passwd: &str, group: &str, wanted: &str) -> Option<Self> {
        let (name, uid, gid, home) = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
            let found = (name, uid.parse().ok()?, gid.parse().ok()?, home);
            (name == wanted || uid == wanted).then_some(found)
        })?;
        let mut groups = vec![gid];
        for line in group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [_, _, number, members] = fields[..] else { continue };
            let Ok(number) = number.parse() else { continue };
            if number != gid && members.split(',').any(|member| member == name) {
                groups.push(number);
            }
        }
        Some(Self { name: name.to_owned(), uid, gid, groups, home: home.to_owned() })
    }

    /// Makes the calling thread, and every process that it starts, this user's.
    pub(crate) fn assume(&self) -> std::io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

fn lossy(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::User;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1001:1002::/home/ann:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nann:x:1002:ann\ndocker:x:998:bob,ann\nwheel:x:10:anna\n";

    #[test]
    fn a_user_is_found_with_every_group() {
        let ann = User::parse(PASSWD, GROUP, "ann").unwrap();
        assert_eq!((ann.uid, ann.gid, ann.home.as_str()), (1001, 1002, "/home/ann"));
        assert_eq!(ann.groups, [1002, 998]);
        assert_eq!(User::parse(PASSWD, GROUP, "1001"), Some(ann));
        assert_eq!(User::parse(PASSWD, GROUP, "nobody"), None);
    }
}
