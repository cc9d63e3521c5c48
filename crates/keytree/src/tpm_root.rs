//! The root key in the non-volatile memory of a TPM 2.0.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::file_root::{ROOT_LEN, Slot, encode, in_force, private, sync_folder, take_place, void};
use crate::page::Generation;
use crate::root::{Root, RootStore, crash_point, place_of};

/// Keeps the root key in two non-volatile indices of a TPM 2.0, which are two slots like those of
/// [`FileRootStore`](crate::FileRootStore): the older of two whole ones is in force, and overwriting it
/// destroys the old key and puts the next one in force.
///
/// A small file says which indices they are and holds the password that they are read and written with. It
/// is no key: whoever has it and not this very chip has nothing. It is where the lock lies, too.
///
/// # What its erasure is worth
///
/// The chip answers when the index is overwritten. No disk, snapshot or backup of the host ever held the key.
/// What the chip's own flash keeps of overwritten cells is within the chip: that holds against whoever has host
/// and disk, also with this chip in it, and not against a laboratory that opens it. Commands go over the bus in
/// the clear; a probe on the bus of a running machine reads the key that is in force.
///
/// Losing the chip is losing the root: everything is forgotten early.
///
/// **The memory of a TPM wears out.** Chips are made for some 100,000 writes of an index, and each commit
/// writes both once: that is one commit an hour for eleven years, or one a minute for ten weeks. Shred
/// together, or use a security module.
///
/// # Example
///
/// ```no_run
/// use oubliette_keytree::{KeyTree, MemoryPageStore, TpmRootStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let root = TpmRootStore::open("secrets/root.tpm", "/dev/tpmrm0", TpmRootStore::NV_INDEX)?;
/// let tree = KeyTree::open(root, MemoryPageStore::default())?;
/// # Ok(())
/// # }
/// ```
pub struct TpmRootStore {
    path: PathBuf,
    folder: PathBuf,
    index: u32,
    device: PathBuf,
    tpm: Mutex<Option<Box<dyn Device>>>,
    /// Held as long as the store lives.
    _lock: File,
}

impl TpmRootStore {
    /// Where the two indices lie unless you say otherwise: in the range that the owner of a machine may use,
    /// at a place with no other meaning.
    pub const NV_INDEX: u32 = 0x0180_0b1e;

    /// Takes the root that the file at `path` describes for this process, whether it exists yet or not.
    ///
    /// `device` is a TPM with a resource manager (`/dev/tpmrm0`), or the socket of a simulated one (swtpm).
    /// `index` and the one after it are used by the first [`create`](RootStore::create); the owner's password
    /// of the TPM must be empty then, as it is on a machine where nobody set one.
    ///
    /// # Errors
    ///
    /// [`Locked`](KeyTreeErrorKind::Locked) if another process has it,
    /// [`Storage`](KeyTreeErrorKind::Storage) if file or device cannot be used.
    pub fn open(
        path: impl Into<PathBuf>,
        device: impl Into<PathBuf>,
        index: u32,
    ) -> Result<Self, KeyTreeError> {
        let device = device.into();
        let (path, folder, lock) = take_place(path.into())?;
        let store = Self { path, folder, index, device, tpm: Mutex::new(None), _lock: lock };
        store.erase_leftovers()?;
        Ok(store)
    }

    fn error(&self, kind: KeyTreeErrorKind, what: &str) -> KeyTreeError {
        KeyTreeError::new(kind, format!("root {} in a TPM: {what}", self.path.display()))
    }

    fn failed(&self, cause: io::Error) -> KeyTreeError {
        let device = self.device.display();
        self.error(
            KeyTreeErrorKind::Storage,
            &format!(
                "{device} cannot be used: check that it is there and that this user may use it"
            ),
        )
        .with_source(cause)
    }

    /// Indices and password; `None` if no root was ever made here.
    fn place(&self) -> Result<Option<Place>, KeyTreeError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.failed(cause)),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * Place::LEN));
        (&mut file)
            .take(Place::LEN as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|c| self.failed(c))?;
        Place::decode(&bytes).map(Some).ok_or_else(|| {
            let what = "the file is damaged; without it the root in the TPM cannot be read";
            self.error(KeyTreeErrorKind::Damaged, what)
        })
    }

    fn device(&self) -> MutexGuard<'_, Option<Box<dyn Device>>> {
        self.tpm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command and gives what it answers; the first time, or after a failure, over a new connection.
    fn run(&self, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut tpm = self.device();
        if tpm.is_none() {
            *tpm = Some(connect(&self.device)?);
        }
        let device = tpm.as_mut().expect("it was connected just now");
        exchange(device.as_mut(), command).inspect_err(|error| {
            if error.kind() != io::ErrorKind::InvalidData {
                *tpm = None; // an answer that is still under way must not answer the next command
            }
        })
    }

    /// What an index holds; `None` if it is not there, or never held a root.
    fn read(&self, place: &Place, slot: u8) -> io::Result<Option<Slot>> {
        let command = Command::with_password(NV_READ, &place.handles(slot), &place.password[..])
            .u16(u16::try_from(ROOT_LEN).expect("a slot is small"))
            .u16(0);
        match self.run(&command.finish()) {
            Ok(answer) => {
                // The length of the parameters, and in them a counted string.
                let data = answer.get(6..6 + ROOT_LEN).unwrap_or_default();
                Ok((data != &void()[..ROOT_LEN]).then(|| Slot::decode(data)))
            }
            Err(error) => match Refusal::of(&error) {
                Some(NV_UNINITIALIZED | NO_SUCH_INDEX) => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn write(&self, place: &Place, slot: u8, bytes: &[u8]) -> io::Result<()> {
        let command = Command::with_password(NV_WRITE, &place.handles(slot), &place.password[..])
            .counted(&bytes[..ROOT_LEN])
            .u16(0);
        crash_point();
        self.run(&command.finish())?;
        crash_point();
        Ok(())
    }

    /// The root in force, its slot, and how it is reached. `None` also if nothing but the file is there:
    /// the chip is another one, or the first root was never whole.
    fn in_force(&self) -> Result<Option<(SlotPlace, Root)>, KeyTreeError> {
        let Some(place) = self.place()? else { return Ok(None) };
        let read = |slot| self.read(&place, slot).map_err(|cause| self.failed(cause));
        let slots = match (read(0)?, read(1)?) {
            (None, None) => return Ok(None),
            (first, second) => [first, second].map(|slot| slot.unwrap_or(Slot::Void)),
        };
        let (slot, root) = in_force(slots).map_err(|(kind, what)| self.error(kind, what))?;
        Ok(Some(((place, u8::try_from(slot).expect("one of two slots")), root)))
    }

    fn erase_leftovers(&self) -> Result<(), KeyTreeError> {
        let Some(((place, slot), _)) = self.in_force()? else { return Ok(()) };
        self.write(&place, 1 - slot, &void()).map_err(|cause| self.failed(cause))
    }

    /// Makes the two indices, as far as an earlier life has not. One that is somebody else's stays as it is.
    fn make_indices(&self, place: &Place) -> io::Result<()> {
        for slot in [0_u8, 1] {
            let public = Bytes::default()
                .u32(place.index + u32::from(slot))
                .u16(SHA256)
                .u32(ATTRIBUTES)
                .u16(0) // no policy
                .u16(u16::try_from(ROOT_LEN).expect("a slot is small"));
            let define = Command::with_password(NV_DEFINE, &[OWNER], &[])
                .counted(&place.password[..])
                .counted(&public.0);
            crash_point();
            match self.run(&define.finish()) {
                Err(error) if Refusal::of(&error) == Some(NV_DEFINED) => {
                    // Ours if our password opens it.
                    self.read(place, slot)?;
                }
                done => drop(done?),
            }
        }
        Ok(())
    }

    fn write_place(&self, place: &Place) -> io::Result<()> {
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&self.path)?;
        file.write_all(&place.encode())?;
        file.sync_all()?;
        sync_folder(&self.folder)
    }
}

impl RootStore for TpmRootStore {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        Ok(self.in_force()?.map(|(.., root)| root))
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        if self.in_force()?.is_some() {
            return Err(self.error(KeyTreeErrorKind::Storage, "there is a root already"));
        }
        let failed = |cause: io::Error| {
            let what = format!(
                "cannot be created: if the indices {:#x} and the next are somebody else's, name others",
                self.index
            );
            self.error(KeyTreeErrorKind::Storage, &what).with_source(cause)
        };
        let place = match self.place()? {
            // Of an earlier life that did not come to its end, or of another chip.
            Some(place) => place,
            None => {
                let mut place = Place { index: self.index, password: Zeroizing::new([0; 32]) };
                getrandom::fill(&mut place.password[..]).map_err(KeyTreeError::no_randomness)?;
                self.write_place(&place).map_err(failed)?;
                place
            }
        };
        crash_point();
        self.make_indices(&place).map_err(failed)?;
        self.write(&place, 1, &void()).map_err(failed)?;
        self.write(&place, 0, &encode(root)).map_err(failed)
    }

    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let (place, slot) = place_of(old, self.in_force())?;
        self.write(&place, 1 - slot, &encode(root)).map_err(|cause| {
            self.error(KeyTreeErrorKind::Retry, "the next key could not be written")
                .with_source(cause)
        })
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let (place, slot) = place_of(old, self.in_force())?;
        let retry = |cause| {
            self.error(KeyTreeErrorKind::Retry, "cannot be read before it is replaced")
                .with_source(cause)
        };
        // The chip keeps what it has answered for, so what it shows is what it has.
        let is_ready = self.read(&place, 1 - slot).map_err(retry)?.is_some_and(|it| it.is(root));
        if !is_ready {
            self.prepare(old, root)?;
        }
        // From here on it may be in force.
        self.write(&place, slot, &void()).map_err(|cause| {
            let what =
                "may be replaced, and the old key may not be erased yet; opening it again will";
            self.error(KeyTreeErrorKind::Storage, what).with_source(cause)
        })
    }
}

impl fmt::Debug for TpmRootStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TpmRootStore({}, {})", self.path.display(), self.device.display())
    }
}

/// A place, and which of the two slots.
type SlotPlace = (Place, u8);

/// ```text
/// magic (8) ‖ version (1) ‖ index (4, big-endian) ‖ password (32)
/// ```
struct Place {
    index: u32,
    password: Zeroizing<[u8; 32]>,
}

impl Place {
    const LEN: usize = 8 + 1 + 4 + 32;

    /// Who is authorised, and what for: an index stands for itself.
    fn handles(&self, slot: u8) -> [u32; 2] {
        [self.index + u32::from(slot); 2]
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LEN));
        bytes.extend(MAGIC);
        bytes.push(VERSION);
        bytes.extend(self.index.to_be_bytes());
        bytes.extend(&self.password[..]);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
        let (index, password) = rest.split_first_chunk()?;
        let password = Zeroizing::new(<[u8; 32]>::try_from(password).ok()?);
        let index = u32::from_be_bytes(*index);
        (index < u32::MAX).then_some(Self { index, password })
    }
}

const MAGIC: &[u8; 8] = b"OUBLRTPM";
const VERSION: u8 = 1;

// -- What there is to say to a TPM: Trusted Platform Module Library, Part 2 (structures) and 3 (commands).

const NV_DEFINE: u32 = 0x12a;
const NV_WRITE: u32 = 0x137;
const NV_READ: u32 = 0x14e;

/// `TPM_ST_SESSIONS`: a command that carries an authorisation.
const SESSIONS: u16 = 0x8002;
/// `TPM_RH_OWNER`.
const OWNER: u32 = 0x4000_0001;
/// `TPM_RS_PW`: the authorisation is a password.
const PASSWORD: u32 = 0x4000_0009;
/// `TPM_ALG_SHA256`, for the name of an index.
const SHA256: u16 = 0x000b;
/// `TPMA_NV_AUTHWRITE | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA`: by the password of the index alone, which is too
/// long to be guessed and so needs no lock against guessing.
const ATTRIBUTES: u32 = 1 << 2 | 1 << 18 | 1 << 25;

/// `TPM_RC_NV_UNINITIALIZED`: never written.
const NV_UNINITIALIZED: u32 = 0x14a;
/// `TPM_RC_NV_DEFINED`: there is such an index.
const NV_DEFINED: u32 = 0x14c;
/// `TPM_RC_HANDLE`, for whichever of the handles.
const NO_SUCH_INDEX: u32 = 0x08b;
/// `TPM_RC_RETRY`, `TPM_RC_YIELDED`, `TPM_RC_NV_RATE`, `TPM_RC_TESTING`: the same command will do later.
const LATER: [u32; 4] = [0x922, 0x908, 0x920, 0x90a];

/// What the TPM says in place of an answer.
#[derive(Debug)]
struct Refusal(u32);

impl Refusal {
    /// The code without the number of the handle, session or parameter it is about.
    fn of(error: &io::Error) -> Option<u32> {
        let Self(code) = error.get_ref()?.downcast_ref()?;
        // Format one has bit 7 set, its number in bits 8 to 11 and a parameter's mark in bit 6.
        Some(if code & 0x80 == 0 { *code } else { code & 0xbf })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the TPM answered {:#05x}", self.0)
    }
}

impl std::error::Error for Refusal {}

/// Big-endian numbers and counted strings. Wiped: some of them are keys.
#[derive(Default)]
struct Bytes(Zeroizing<Vec<u8>>);

impl Bytes {
    fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn counted(mut self, bytes: &[u8]) -> Self {
        self = self.u16(u16::try_from(bytes.len()).expect("at most a slot"));
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A command in the making.
struct Command;

impl Command {
    fn with_password(code: u32, handles: &[u32], password: &[u8]) -> Bytes {
        // So large that it does not grow, and leave a key behind.
        let mut command =
            Bytes(Zeroizing::new(Vec::with_capacity(512))).u16(SESSIONS).u32(0).u32(code);
        for handle in handles {
            command = command.u32(*handle);
        }
        let authorisation = 4 + 2 + 1 + 2 + password.len();
        command =
            command.u32(u32::try_from(authorisation).expect("at most 41")).u32(PASSWORD).u16(0);
        command.0.push(0);
        command.counted(password)
    }
}

impl Bytes {
    /// Fills in the length.
    fn finish(mut self) -> Zeroizing<Vec<u8>> {
        let len = u32::try_from(self.0.len()).expect("commands are small");
        self.0[2..6].copy_from_slice(&len.to_be_bytes());
        self.0
    }
}

/// A device or a socket.
trait Device: Read + Write + Send {}

impl<T: Read + Write + Send> Device for T {}

fn connect(path: &Path) -> io::Result<Box<dyn Device>> {
    if std::fs::metadata(path)?.file_type().is_socket() {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        return Ok(Box::new(socket));
    }
    Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
}

/// Sends one command and reads its answer: what follows the header of one that is no refusal.
fn exchange(device: &mut dyn Device, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let unfit = || io::Error::new(io::ErrorKind::UnexpectedEof, "the TPM gave no whole answer");
    for wait in WAITS {
        device.write_all(command)?;
        device.flush()?;
        // A device gives a whole answer at once, a socket what has come so far.
        let mut answer = Zeroizing::new(vec![0; MOST_ANSWER]);
        let mut len = 0;
        let size = loop {
            let read = device.read(&mut answer[len..])?;
            len += read;
            let size = answer[2..6].iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
            if len >= HEADER_LEN && len >= size {
                break size;
            }
            if read == 0 {
                return Err(unfit());
            }
        };
        let code = answer[6..HEADER_LEN].iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
        if code == 0 {
            let body = answer.get(HEADER_LEN..size).ok_or_else(unfit)?;
            return Ok(Zeroizing::new(body.to_vec()));
        }
        if !LATER.contains(&code) || wait.is_zero() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Refusal(code)));
        }
        std::thread::sleep(wait);
    }
    unreachable!("the last wait is none")
}

/// Tag, length, code.
const HEADER_LEN: usize = 10;
/// More than any answer to our commands.
const MOST_ANSWER: usize = 4096;
/// A TPM that has said nothing for so long never will.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a chip is waited for that is busy or spares its memory.
const WAITS: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::ZERO,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it is told to in pieces, as a socket does, and then nothing more.
    #[derive(Default)]
    struct Told {
        pieces: std::collections::VecDeque<Vec<u8>>,
        commands: usize,
    }

    impl Read for Told {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let piece = self.pieces.pop_front().unwrap_or_default();
            into[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.commands += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(code: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(HEADER_LEN + body.len()).unwrap();
        [&SESSIONS.to_be_bytes()[..], &len.to_be_bytes(), &code.to_be_bytes(), body].concat()
    }

    /// What comes of these pieces, and how often the command was sent.
    fn exchanged(pieces: &[&[u8]]) -> (io::Result<Vec<u8>>, usize) {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        let mut device = Told { pieces, commands: 0 };
        let answer = exchange(&mut device, b"a command").map(|body| body.to_vec());
        (answer, device.commands)
    }

    #[test]
    fn an_answer_is_read_whole_however_it_comes() {
        // So long that both bytes of its length count.
        let body: Vec<u8> = (0..=255).cycle().take(700).collect();
        let whole = answer(0, &body);
        for at in 1..whole.len() {
            let (got, sent) = exchanged(&[&whole[..at], &whole[at..]]);
            assert_eq!((got.unwrap(), sent), (body.clone(), 1), "in two pieces, at {at}");
            let (cut, _) = exchanged(&[&whole[..at]]);
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "cut at {at}");
        }
        assert_eq!(exchanged(&[&answer(0, b"")]).0.unwrap(), b"");
        for len in [0_u32, 9, 5000, u32::MAX] {
            let mut wrong = whole.clone();
            wrong[2..6].copy_from_slice(&len.to_be_bytes());
            let error = exchanged(&[&wrong]).0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
        }
    }

    #[test]
    fn a_chip_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
        let done = answer(0, b"done");
        for later in LATER {
            let (got, sent) = exchanged(&[&answer(later, b""), &answer(later, b""), &done]);
            assert_eq!((got.unwrap(), sent), (b"done".to_vec(), 3), "{later:#x}");
        }
        for refusal in [NV_DEFINED, 0x18b, 1 << 24, 0x923] {
            let (got, sent) = exchanged(&[&answer(refusal, b""), &done]);
            let error = got.unwrap_err();
            assert_eq!((error.kind(), sent), (io::ErrorKind::InvalidData, 1), "{refusal:#x}");
            assert!(error.to_string().contains(&format!("{refusal:#05x}")), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_known_whichever_handle_it_is_about() {
        let code = |code| Refusal::of(&io::Error::new(io::ErrorKind::InvalidData, Refusal(code)));
        // Of format zero, and of format one about a handle and about a parameter.
        assert_eq!(code(NV_DEFINED), Some(NV_DEFINED));
        for about in [0x08b, 0x18b, 0x28b, 0x1cb] {
            assert_eq!(code(about), Some(NO_SUCH_INDEX), "{about:#x}");
        }
        assert_ne!(code(0x18e), Some(NO_SUCH_INDEX));
        assert_eq!(Refusal::of(&io::Error::other("something else")), None);
        assert_eq!(Refusal::of(&io::ErrorKind::NotFound.into()), None);
    }
}
