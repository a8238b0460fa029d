//! Which accounts have modules and secrets of their own.
//!
//! The server's own account has the plain names, as ever; each other account that has an access key has its names behind
//! its number and a colon, which no client can write into a name. An account without keys shares the server's own: nobody
//! can speak for it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

/// Between an account and a name.
const MARK: char = ':';

/// The accounts of a server.
#[derive(Clone, Default)]
pub(crate) struct Accounts {
    home: Arc<RwLock<String>>,
    guests: Arc<RwLock<BTreeSet<String>>>,
}

impl Accounts {
    /// Says which account is the server's own.
    pub(crate) fn set_home(&self, account: &str) {
        account.clone_into(&mut self.home.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says that an account has an access key.
    pub(crate) fn add(&self, account: &str) {
        self.guests.write().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned());
    }

    /// Whether an account is the server's own.
    pub(crate) fn is_home(&self, account: &str) -> bool {
        *self.home.read().unwrap_or_else(PoisonError::into_inner) == account
    }

    /// The names of an account.
    pub(crate) fn names_of(&self, account: &str) -> Names {
        let is_home = self.is_home(account);
        let has_key = self.guests.read().unwrap_or_else(PoisonError::into_inner).contains(account);
        Names((has_key && !is_home).then(|| format!("{account}{MARK}")))
    }
}

/// How the names of one account are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Option<String>);

impl Names {
    /// Those that a stored name is one of.
    pub(crate) fn of_stored(stored: &str) -> Names {
        Names(stored.split_once(MARK).map(|(account, _)| format!("{account}{MARK}")))
    }

    /// Whether they are those of the server's own account.
    pub(crate) fn are_home(&self) -> bool {
        self.0.is_none()
    }

    /// The stored form of a name; none of one that no client may write.
    pub(crate) fn stored(&self, name: &str) -> Option<String> {
        let prefix = self.0.as_deref().unwrap_or_default();
        (!name.contains(MARK)).then(|| format!("{prefix}{name}"))
    }

    /// The name that is stored so; none when it is another account's.
    pub(crate) fn shown<'a>(&self, stored: &'a str) -> Option<&'a str> {
        let name = stored.strip_prefix(self.0.as_deref().unwrap_or_default())?;
        (!name.contains(MARK)).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_sees_its_own_names_alone() {
        let accounts = Accounts::default();
        accounts.set_home("111111111111");
        assert_eq!(accounts.names_of("222222222222"), Names(None), "nobody can speak for it");
        accounts.add("222222222222");
        accounts.add("111111111111");
        let (home, guest) = (accounts.names_of("111111111111"), accounts.names_of("222222222222"));
        assert_eq!(home.stored("m").as_deref(), Some("m"));
        assert_eq!(guest.stored("m").as_deref(), Some("222222222222:m"));
        assert_eq!(home.shown("222222222222:m"), None);
        assert_eq!((guest.shown("m"), guest.shown("333333333333:m")), (None, None));
        assert_eq!(guest.shown("222222222222:m"), Some("m"));
        assert_eq!(home.stored("222222222222:m"), None);
        assert_eq!(Names::of_stored("222222222222:m"), guest);
        assert_eq!(Names::of_stored("m"), home);
    }
}
