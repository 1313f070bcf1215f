//! A Merkle tree that only grows (RFC 6962 §2.1), of which the roots of its full subtrees are kept and nothing else.

use sha2::block_api::compress256;

use super::Hash;

/// The right edge of a tree: enough to add leaves and to compute its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frontier {
    size: u64,
    /// The roots of the full subtrees that the leaves make, the largest first: one for each bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    pub(crate) fn new() -> Self {
        Self { size: 0, peaks: Vec::with_capacity(64) }
    }

    /// The tree of `size` leaves that has these peaks; `None` where it must have more or fewer.
    pub(crate) fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Adds a leaf: the hash of a record.
    pub(crate) fn push(&mut self, record: &Hash) {
        self.push_leaf(leaf(record));
    }

    fn push_leaf(&mut self, mut node: Hash) {
        // Each full subtree of the same size as what was just completed makes one of twice the size with it.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = parent(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// How many leaves there are.
    #[cfg(test)]
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The tree head's hash; of no leaves, the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(smallest) => peaks.fold(*smallest, |right, left| parent(left, &right)),
            None => Hash::of(&[]),
        }
    }

    /// The roots of the full subtrees, the largest first.
    pub(crate) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }
}

/// The hash of a leaf, whose data is the hash of a record.
fn leaf(record: &Hash) -> Hash {
    // One block with its padding: a byte, the data, a one bit, and the length of the text in bits.
    let mut block = [0; 64];
    block[1..33].copy_from_slice(&record.0);
    block[33] = 0x80;
    block[62..].copy_from_slice(&(33_u16 * 8).to_be_bytes());
    digest(&[block])
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let (mut first, mut second) = ([1; 64], [0; 64]);
    first[1..33].copy_from_slice(&left.0);
    first[33..].copy_from_slice(&right.0[..31]);
    second[0] = right.0[31];
    second[1] = 0x80;
    second[62..].copy_from_slice(&(65_u16 * 8).to_be_bytes());
    digest(&[first, second])
}

/// The SHA-256 of whole blocks, their padding included: what is hashed here is always as long, and there are two for each record, so that
/// gathering it into blocks took a tenth of the time of verifying a log.
fn digest(blocks: &[[u8; 64]]) -> Hash {
    // FIPS 180-4 §5.3.3.
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19_u32,
    ];
    compress256(&mut state, blocks);
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Hash(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn naive(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [leaf] => Hash::of(&[&[0], &leaf[..]].concat()),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                Hash::of(&[&[1], &naive(left).0[..], &naive(right).0[..]].concat())
            }
        }
    }

    fn frontier(leaves: &[Vec<u8>]) -> Frontier {
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push_leaf(Hash::of(&[&[0], &leaf[..]].concat())));
        frontier
    }

    #[test]
    fn the_tree_heads_are_those_of_certificate_transparency() {
        // The leaves and roots of the tests of github.com/google/certificate-transparency (merkle_tree_test.cc).
        let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
            .into_iter()
            .chain(["606162636465666768696a6b6c6d6e6f"])
            .map(|hex| {
                let pairs = hex.as_bytes().chunks(2);
                pairs
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                    .collect()
            })
            .collect::<Vec<Vec<u8>>>();
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.into_iter().enumerate() {
            let frontier = frontier(&leaves[..size]);
            assert_eq!((frontier.size(), frontier.root().to_string()), (size as u64, root.to_owned()));
        }
    }

    #[test]
    fn a_tree_of_a_size_has_one_peak_for_each_bit_of_it() {
        for (size, peaks) in [(0, 0), (1, 1), (3, 2), (4, 1), (u64::MAX, 64)] {
            assert!(Frontier::from_peaks(size, vec![Hash::NONE; peaks]).is_some(), "{size}");
            assert!(Frontier::from_peaks(size, vec![Hash::NONE; peaks + 1]).is_none(), "{size}");
        }
    }

    proptest! {
        #[test]
        fn the_hash_of_a_record_is_a_leaf_as_any_other(data: [u8; 32]) {
            prop_assert_eq!(leaf(&Hash(data)), naive(&[data.to_vec()]));
        }

        #[test]
        fn the_root_is_that_of_the_naive_tree_and_survives_its_peaks(
            leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..80),
            more in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let grown = frontier(&leaves);
            prop_assert_eq!(grown.root(), naive(&leaves));
            let mut again = Frontier::from_peaks(grown.size(), grown.peaks().to_vec()).unwrap();
            prop_assert_eq!(&again, &grown);
            more.iter().for_each(|leaf| again.push_leaf(Hash::of(&[&[0], &leaf[..]].concat())));
            prop_assert_eq!(again.root(), naive(&[leaves, more].concat()));
        }
    }
}
