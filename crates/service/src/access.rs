//! Who calls, and what that lets them do.

use oubliette_catalog::{AccountId, ApiKey, Role};

use crate::error::{Result, ServiceError};

/// Who makes a call: the holder of an API key, or someone at the machine itself.
///
/// Every use case takes one and checks it. It says who someone is, not what a grant opens to them:
/// that is looked up at each read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    key_id: String,
    name: String,
    role: Role,
    account: Option<AccountId>,
}

impl Principal {
    /// Someone who has the data folder and its keys in their hands, for commands that work beside
    /// the server. They can be anything but an agent: a grant names an API key, and this is none.
    #[must_use]
    pub fn local(role: Role, account: Option<AccountId>) -> Self {
        Self { key_id: Self::LOCAL.into(), name: Self::LOCAL.into(), role, account }
    }

    pub(crate) fn of(key: &ApiKey) -> Self {
        Self {
            key_id: key.id.clone(),
            name: key.name.clone(),
            role: key.role,
            account: key.account.clone(),
        }
    }

    /// The id of the API key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The account it is bound to, if to one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// How audit rows and settings name it.
    pub(crate) fn actor(&self) -> String {
        if self.key_id == Self::LOCAL {
            return Self::LOCAL.into();
        }
        format!("{} ({})", self.name, self.key_id)
    }

    /// Only the account's owner.
    pub(crate) fn must_own(&self, account: &AccountId) -> Result<()> {
        if self.role == Role::Owner && self.account.as_ref() == Some(account) {
            return Ok(());
        }
        Err(ServiceError::forbidden(format!(
            "only an owner of account {account} may do this: use an owner's API key"
        )))
    }

    /// The account's owner, or an operator.
    pub(crate) fn must_own_or_operate(&self, account: &AccountId) -> Result<()> {
        if self.role == Role::Operator { Ok(()) } else { self.must_own(account) }
    }

    /// Only an operator.
    pub(crate) fn must_operate(&self) -> Result<()> {
        if self.role == Role::Operator {
            return Ok(());
        }
        Err(ServiceError::forbidden("only an operator may do this: use an operator's API key"))
    }

    /// A gateway, for this account or for all.
    pub(crate) fn must_capture_for(&self, account: &AccountId) -> Result<()> {
        let bound_elsewhere = self.account.as_ref().is_some_and(|bound| bound != account);
        if self.role == Role::Gateway && !bound_elsewhere {
            return Ok(());
        }
        Err(ServiceError::forbidden(format!(
            "only a gateway may send captures of account {account}: use a gateway's API key"
        )))
    }

    const LOCAL: &str = "local";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceErrorKind;

    #[test]
    fn each_role_does_its_own_and_no_more() {
        let (acme, other) = (AccountId::new("acme").unwrap(), AccountId::new("other").unwrap());
        let may = |role, account: Option<&AccountId>| {
            let who = Principal::local(role, account.cloned());
            [
                who.must_own(&acme).is_ok(),
                who.must_own_or_operate(&acme).is_ok(),
                who.must_operate().is_ok(),
                who.must_capture_for(&acme).is_ok(),
            ]
        };
        assert_eq!(may(Role::Owner, Some(&acme)), [true, true, false, false]);
        assert_eq!(may(Role::Owner, Some(&other)), [false; 4]);
        assert_eq!(may(Role::Operator, None), [false, true, true, false]);
        assert_eq!(may(Role::Gateway, None), [false, false, false, true]);
        assert_eq!(may(Role::Gateway, Some(&acme)), [false, false, false, true]);
        assert_eq!(may(Role::Gateway, Some(&other)), [false; 4]);
        assert_eq!(may(Role::Agent, None), [false; 4]);
        let refused = Principal::local(Role::Agent, None).must_own(&acme).unwrap_err();
        assert_eq!(refused.kind(), ServiceErrorKind::Forbidden);
    }
}
