//! Reading a capability strictly, in one pass and without recursion.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::resource::Grant;
use super::{InvalidCapability, LONGEST_TEXT, Operation, Operations, UnknownOperation};

/// The grants of a text, in the order of the text.
pub(super) fn grants_of(text: &str) -> Result<Vec<Grant>, InvalidCapability> {
    if text.len() > LONGEST_TEXT {
        return Err(InvalidCapability::TooLong);
    }
    let mut refused = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer.deserialize_map(Grants { refused: &mut refused });
    let grants = read.map_err(|error| match refused {
        Some(refusal) => refusal,
        None if error.is_data() => InvalidCapability::Shape,
        None => InvalidCapability::Syntax,
    })?;
    deserializer.end().map_err(|_| InvalidCapability::TrailingText)?;
    Ok(grants)
}

/// Reads the object. What is wrong beside the syntax is noted, since an error of serde has no place for it.
struct Grants<'r> {
    refused: &'r mut Option<InvalidCapability>,
}

impl<'de> Visitor<'de> for Grants<'_> {
    type Value = Vec<Grant>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of resources with their operations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Grant>, A::Error> {
        let mut refuse = |refusal| {
            *self.refused = Some(refusal);
            A::Error::custom(refusal)
        };
        let mut grants = Vec::new();
        while let Some(resource) = map.next_key::<String>()? {
            let operations = map.next_value_seed(List)?.map_err(&mut refuse)?;
            grants.push(Grant::of(resource, operations).map_err(&mut refuse)?);
        }
        Ok(grants)
    }
}

/// Reads a list of operations; the inner result is what the list means.
struct List;

impl<'de> DeserializeSeed<'de> for List {
    type Value = Result<Operations, InvalidCapability>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Result<Operations, InvalidCapability>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of operations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut operations = Operations::NONE;
        let mut has_wildcard = false;
        let mut refusal = None;
        while let Some(named) = list.next_element_seed(Name)? {
            match named {
                Ok(Operations::ALL) => has_wildcard = true,
                Ok(operation) => operations = operations.union(operation),
                Err(UnknownOperation) => refusal = Some(InvalidCapability::UnknownOperation),
            }
        }
        Ok(match (refusal, has_wildcard, operations.is_empty()) {
            (Some(refusal), ..) => Err(refusal),
            (None, true, true) => Ok(Operations::ALL),
            (None, true, false) => Err(InvalidCapability::WildcardNotAlone),
            (None, false, _) => Ok(operations),
        })
    }
}

/// Reads one element of a list, a name or `*`.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Result<Operations, UnknownOperation>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Result<Operations, UnknownOperation>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of an operation")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(if name == "*" { Ok(Operations::ALL) } else { name.parse::<Operation>().map(Operations::from) })
    }
}
