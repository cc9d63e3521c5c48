//! Receipts that are not what was handed out.

use std::sync::OnceLock;

use oubliette_translog::{Change, Erased, Log, LogKey, Reason, Receipt, Statement, verify};

/// Whatever is done to a receipt, or given in its place: what verifies says what the log says.
///
/// The first byte chooses: the input is the receipt, or it damages a good one, or it damages one in whose
/// numbers there is room.
pub fn receipt(data: &[u8]) {
    static GOOD: OnceLock<Good> = OnceLock::new();
    let good = GOOD.get_or_init(Good::make);
    let &[what, ref script @ ..] = data else { return };
    let bytes = match what % 3 {
        0 => script.to_vec(),
        1 => super::damage::damage(&good.receipts[0], script),
        _ => super::damage::damage(&good.receipts[1], script),
    };
    match verify(&bytes, &good.key) {
        Ok(verified) => {
            let said =
                &good.statements[usize::try_from(verified.index).expect("a place in the log")];
            assert_eq!(&verified.statement, said, "what verifies is what was logged");
        }
        Err(error) => {
            super::assert_one_line(&error);
            assert!(!good.receipts.contains(&bytes), "a good receipt does not verify: {error}");
        }
    }
}

/// A log of some statements, and receipts of two.
struct Good {
    key: String,
    statements: Vec<Statement>,
    receipts: Vec<Vec<u8>>,
}

impl Good {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = Log::open(folder.path(), LogKey::from_seed(&[7; 32]), 0).expect("a new log");
        let statements: Vec<_> = (0..11)
            .map(|number| {
                let account = "ab".repeat(16);
                let erased = match number % 3 {
                    0 => Erased::payloads(account, vec!["cd".repeat(32); 2]),
                    1 => Erased::hours_before(account, 490_000),
                    _ => Erased::all(account),
                };
                Statement::new(
                    Reason::Request,
                    1_793_000_000_000,
                    Change { from: number, to: number + 1 },
                    Change { from: "00".repeat(32), to: "11".repeat(32) },
                    vec![erased],
                )
            })
            .collect();
        let leaves: Vec<_> = statements.iter().map(Statement::to_bytes).collect();
        log.prepare(1, &leaves).expect("a temporary file");
        log.commit(1).expect("a log in order");
        let receipt = |index: u64| {
            let at = usize::try_from(index).expect("a small number");
            let inclusion = log.inclusion(index).expect("a leaf of the log");
            let receipt = Receipt::new(statements[at].clone(), inclusion);
            serde_json::to_vec(&receipt).expect("JSON")
        };
        let receipts = vec![receipt(0), receipt(10)];
        Self { key: log.key().verifier_key().to_owned(), statements, receipts }
    }
}
