//! What a minute of a build costs, by its compute type, as the operator says.

use serde::Deserialize;
use std::{collections::BTreeMap, fmt};
use wire::codebuild::ComputeType;

/// The smallest part of the currency that is counted: a millionth.
const MILLIONTHS: u64 = 1_000_000;

/// The price list.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// What the prices are in, as it is shown.
    pub currency: String,
    /// Prices of a minute, by compute type; those that are not there have none.
    pub per_minute: BTreeMap<ComputeName, Price>,
}

impl Default for Prices {
    fn default() -> Self {
        Self { currency: "USD".to_owned(), per_minute: BTreeMap::new() }
    }
}

impl Prices {
    /// The price of a minute of this compute type.
    pub fn of(&self, compute_type: &str) -> Option<Price> {
        let found = self.per_minute.iter().find(|(name, _)| name.0 == compute_type);
        found.map(|(_, price)| *price)
    }
}

/// A compute type that there is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub struct ComputeName(String);

impl TryFrom<String> for ComputeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if ComputeType::VALUES.contains(&text.as_str()) {
            Ok(Self(text))
        } else {
            Err(format!("there is no compute type {text}; there are {:?}", ComputeType::VALUES))
        }
    }
}

impl fmt::Display for ComputeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a minute costs, in millionths of the currency.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "f64")]
pub struct Price(u64);

impl TryFrom<f64> for Price {
    type Error = String;

    fn try_from(price: f64) -> Result<Self, Self::Error> {
        #[expect(clippy::cast_precision_loss, reason = "a million is exact")]
        let millionths = (price * MILLIONTHS as f64).round();
        if !(0.0..1e12).contains(&millionths) {
            return Err(format!("a price is a number from 0 on, which {price} is not"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range"
        )]
        Ok(Self(millionths as u64))
    }
}

impl Price {
    /// What so many minutes cost.
    pub fn times(self, minutes: u64) -> Amount {
        Amount(self.0.saturating_mul(minutes))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount(self.0).fmt(f)
    }
}

/// An amount of money, in millionths of the currency. As text it has all of its digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The amount to the hundredth, as a total is read; one that is smaller has all of its digits.
    pub fn rounded(self) -> String {
        const HUNDREDTH: u64 = MILLIONTHS / 100;
        if self.0 < HUNDREDTH {
            return self.to_string();
        }
        Self((self.0.saturating_add(HUNDREDTH / 2)) / HUNDREDTH * HUNDREDTH).to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % MILLIONTHS);
        let digits = digits.trim_end_matches('0');
        write!(f, "{}.{digits:0<2}", self.0 / MILLIONTHS)
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Price, Prices};

    #[test]
    fn prices_are_read_and_typing_errors_are_refused() {
        let text = "currency = 'EUR'\nper_minute = { BUILD_GENERAL1_SMALL = 0.005, BUILD_GENERAL1_LARGE = 1 }";
        let prices: Prices = toml::from_str(text).unwrap();
        assert_eq!(prices.of("BUILD_GENERAL1_SMALL"), Some(Price(5_000)));
        assert_eq!(prices.of("BUILD_GENERAL1_LARGE"), Some(Price(1_000_000)));
        assert_eq!(prices.of("BUILD_GENERAL1_MEDIUM"), None);
        for wrong in ["BUILD_GENERAL1_SMAL = 1", "BUILD_GENERAL1_SMALL = -1"] {
            assert!(toml::from_str::<Prices>(&format!("per_minute = {{ {wrong} }}")).is_err());
        }
        assert!(toml::from_str::<Prices>("curency = 'EUR'").is_err());
    }

    #[test]
    fn amounts_are_exact_and_totals_are_rounded() {
        for (millionths, exact, rounded) in [
            (0, "0.00", "0.00"),
            (5_000, "0.005", "0.005"),
            (215_000, "0.215", "0.22"),
            (1_000_000, "1.00", "1.00"),
            (12_345_678, "12.345678", "12.35"),
        ] {
            assert_eq!(Amount(millionths).to_string(), exact);
            assert_eq!(Amount(millionths).rounded(), rounded);
        }
        assert_eq!(Price(5_000).times(43).to_string(), "0.215");
    }
}
