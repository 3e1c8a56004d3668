//! Hosts of ssh: the environment's `ssh` asks a socket to sign, and the agent passes on what it
//! asks to the service, which has the key.

use crate::fault::{Doing, Fault};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// Longer messages are not ssh's.
const MESSAGE_BYTES_MAX: u32 = 256 * 1024;
/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket, for as long as sources are being fetched.
pub(super) struct Signing {
    socket: PathBuf,
    hosts: PathBuf,
}

impl Signing {
    /// Opens the socket and writes the list of hosts, in git's home folder.
    pub(super) fn open(home: &Path, known_hosts: &str, service: &str) -> Result<Self, Fault> {
        let (socket, hosts) = (home.join("signing"), home.join("known_hosts"));
        fs::write(&hosts, known_hosts).doing(|| "write the list of ssh hosts".to_owned())?;
        let doing = || "open a socket for ssh".to_owned();
        let listener = UnixListener::bind(&socket).doing(doing)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).doing(doing)?;
        let address = format!("{service}/ssh");
        std::thread::Builder::new()
            .spawn(move || {
                // Each ssh has one connection. The one that cannot be read any more is the last.
                while let Ok((client, _)) = listener.accept() {
                    if matches!(serve(client, &address), Ok(Served::Over)) {
                        return;
                    }
                }
            })
            .doing(doing)?;
        Ok(Self { socket, hosts })
    }

    /// The command that git runs for ssh. Nothing of the image's or the user's configuration counts.
    pub(super) fn command(&self, stalled_seconds_max: u32) -> String {
        let (socket, hosts) = (self.socket.display(), self.hosts.display());
        format!(
            "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UpdateHostKeys=no \
             -o GlobalKnownHostsFile=none -o UserKnownHostsFile={hosts} -o IdentityAgent={socket} \
             -o ForwardAgent=no -o ConnectTimeout={stalled_seconds_max} -o ServerAliveCountMax=3 \
             -o ServerAliveInterval={stalled_seconds_max}"
        )
    }
}

impl Drop for Signing {
    fn drop(&mut self) {
        // An empty message ends the thread; the socket goes with git's home folder.
        let end = UnixStream::connect(&self.socket);
        let _ = end.and_then(|mut end| end.write_all(&0_u32.to_be_bytes()));
    }
}

/// What became of a connection.
enum Served {
    /// The other side has closed it.
    Closed,
    /// No more will come.
    Over,
}

fn serve(mut client: UnixStream, address: &str) -> io::Result<Served> {
    let config =
        Agent::config_builder().max_redirects(0).proxy(None).timeout_global(Some(PATIENCE)).build();
    let http = Agent::new_with_config(config);
    loop {
        let mut length = [0; 4];
        match client.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Served::Closed);
            }
            read => read?,
        }
        let length = u32::from_be_bytes(length);
        if length == 0 {
            return Ok(Served::Over);
        }
        if length > MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; length as usize];
        client.read_exact(&mut message)?;
        let mut answer = http.post(address).send(&message[..]).map_err(io::Error::other)?;
        let answer = answer.body_mut().read_to_vec().map_err(io::Error::other)?;
        let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
        client.write_all(&[&length.to_be_bytes(), &answer[..]].concat())?;
    }
}
