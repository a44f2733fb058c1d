//! The names that a body binds, scope by scope. A name is known from its pattern to the end of the scope.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Ident, Pat, PatIdent};

/// Scopes within each other.
#[derive(Default)]
pub(super) struct Scopes(Vec<BTreeSet<String>>);

impl Scopes {
    pub(super) fn enter(&mut self) {
        self.0.push(BTreeSet::new());
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Whether a name is bound here.
    pub(super) fn binds(&self, ident: &Ident) -> bool {
        self.0.iter().any(|scope| scope.contains(&ident.to_string()))
    }

    /// Binds the names of a pattern in the innermost scope.
    pub(super) fn bind(&mut self, pat: &Pat) {
        if let Some(scope) = self.0.last_mut() {
            Names(scope).visit_pat(pat);
        }
    }
}

struct Names<'a>(&'a mut BTreeSet<String>);

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        self.0.insert(pat.ident.to_string());
        visit::visit_pat_ident(self, pat);
    }

    // A pattern may hold expressions, which bind nothing out here.
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}
}
