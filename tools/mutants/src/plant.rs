//! Plants mutants into the text of one file.
//!
//! A mutant is a change of the text, so the whole chain around a changed operator is parsed anew: `-` in place
//! of the `*` of `a - b * c` gives `(a - b) - c`. Mutants that cannot be chosen at run time are not planted:
//! those in constants, in types, within macros, in naked functions, and of operators beside a `let` in a condition.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, BinOp, Block, Expr, ExprBinary, ExprBlock, ExprIf, ExprParen, ExprRepeat, ExprStruct,
    ImplItemConst, ImplItemFn, ItemConst, ItemFn, ItemStatic, Pat, PatGuard, Signature, Stmt,
    TraitItemConst, TraitItemFn, Type, Variant, parse_quote,
};

/// A mutant as cargo-mutants describes it.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// Its number, by which a test run turns it on.
    pub(crate) id: u32,
    /// The kind of change: `BinaryOperator`, `FnValue` and so on.
    pub(crate) genre: String,
    /// Line and column, both from 1, of the start of the changed text.
    pub(crate) start: (usize, usize),
    /// The new text.
    pub(crate) replacement: String,
}

impl Mutant {
    /// Parses an element of the list; `None` if something is missing.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let start = &value["span"]["start"];
        let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
        Some(Self {
            id: u32::from(u16::try_from(value["id"].as_u64()?).ok()?),
            genre: value["genre"].as_str()?.into(),
            start: (number(&start["line"])?, number(&start["column"])?),
            replacement: value["replacement"].as_str()?.into(),
        })
    }
}

/// A file with its mutants.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) source: String,
    /// The numbers of the mutants in it.
    pub(crate) planted: BTreeSet<u32>,
    /// The planted mutants that the compiler's own calls do not see.
    pub(crate) in_const_fn: BTreeSet<u32>,
}

/// Plants all of `mutants` that can be planted.
///
/// # Errors
///
/// The source is not Rust.
pub(crate) fn plant(source: &str, mutants: &[Mutant]) -> syn::Result<Planted> {
    let mut at: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutant in mutants {
        at.entry((mutant.genre.as_str(), mutant.start)).or_default().push(mutant);
    }
    let mut planter =
        Planter { at, const_fn: false, planted: BTreeSet::new(), in_const_fn: BTreeSet::new() };
    let mut file = syn::parse_file(source)?;
    planter.visit_file_mut(&mut file);
    let Planter { planted, in_const_fn, .. } = planter;
    Ok(Planted { source: prettyplease::unparse(&file), planted, in_const_fn })
}

struct Planter<'a> {
    at: BTreeMap<(&'a str, (usize, usize)), Vec<&'a Mutant>>,
    /// Whether the visited function is a `const fn`.
    const_fn: bool,
    planted: BTreeSet<u32>,
    in_const_fn: BTreeSet<u32>,
}

impl<'a> Planter<'a> {
    /// The mutants of a kind whose text begins at the start of `span`.
    fn mutants(&self, genre: &'a str, span: Span) -> Vec<&'a Mutant> {
        let start = span.start();
        self.at.get(&(genre, (start.line, start.column + 1))).cloned().unwrap_or_default()
    }

    /// The condition that a mutant is active. Counts the mutant as planted.
    fn active(&mut self, mutant: &Mutant) -> Expr {
        let id = mutant.id;
        self.planted.insert(id);
        if self.const_fn {
            self.in_const_fn.insert(id);
        }
        parse_quote!(::mutant::is(#id))
    }

    /// An expression that replaces `original` (already visited): the active mutant's, or the original.
    fn choice(&mut self, original: &Expr, mutated: &[(&Mutant, Expr)]) -> Expr {
        // Blocks are not parsed from text, where `{ unsafe { a } & b }` would be two statements.
        let block = |value: &Expr| Block {
            brace_token: Default::default(),
            stmts: vec![Stmt::Expr(value.clone(), None)],
        };
        let mut choice =
            Expr::Block(ExprBlock { attrs: Vec::new(), label: None, block: block(original) });
        for (mutant, other) in mutated.iter().rev() {
            choice = Expr::If(ExprIf {
                attrs: Vec::new(),
                if_token: Default::default(),
                cond: Box::new(self.active(mutant)),
                then_branch: block(other),
                else_branch: Some((Default::default(), Box::new(choice))),
            });
        }
        Expr::Paren(ExprParen {
            attrs: Vec::new(),
            paren_token: Default::default(),
            expr: Box::new(choice),
        })
    }

    fn function(&mut self, signature: &Signature, body: &mut Block) {
        let Some(first) = body.stmts.first() else { return };
        let mutants = self.mutants("FnValue", first.span());
        let outer = std::mem::replace(&mut self.const_fn, signature.constness.is_some());
        self.visit_block_mut(body);
        for mutant in mutants {
            let Ok(value) = syn::parse_str::<Expr>(&mutant.replacement) else { continue };
            let active = self.active(mutant);
            body.stmts.insert(0, parse_quote!(if #active { return #value; }));
        }
        self.const_fn = outer;
    }

    /// Visits a chain of binary operators, up to parentheses.
    fn chain(&mut self, chain: &mut Expr) {
        if has_let(chain) {
            // A `let` has no value to choose. The operators here are && (|| would not compile), which bind
            // loosest of all: each side is a chain by itself.
            let Expr::Binary(binary) = chain else { return };
            self.visit_expr_mut(&mut binary.left);
            return self.visit_expr_mut(&mut binary.right);
        }
        let mut operators = Vec::new();
        collect_operators(chain, &mut operators);
        let mut mutated = Vec::new();
        for (index, operator) in operators.iter().enumerate() {
            for mutant in self.mutants("BinaryOperator", operator.span()) {
                let Ok(other) = syn::parse_str::<BinOp>(&mutant.replacement) else { continue };
                let mut changed = operators.clone();
                changed[index] = other;
                let text = flat(chain, &mut changed.into_iter());
                // Not every change is an expression: in `a as u64 < b` the `<` begins a type.
                if let Ok(expression) = syn::parse2(text) {
                    mutated.push((mutant, expression));
                }
            }
        }
        self.visit_operands(chain);
        if !mutated.is_empty() {
            *chain = self.choice(chain, &mutated);
        }
    }

    fn visit_operands(&mut self, chain: &mut Expr) {
        if let Expr::Binary(binary) = chain {
            self.visit_operands(&mut binary.left);
            self.visit_operands(&mut binary.right);
        } else {
            self.visit_expr_mut(chain);
        }
    }

    /// `Leaf { perm, ..leaf }` without one of the fields that it names.
    fn without_fields(&self, expression: &ExprStruct) -> Vec<(&'a Mutant, Expr)> {
        let mut mutated = Vec::new();
        for field in expression.fields.iter().filter(|_| expression.rest.is_some()) {
            for mutant in self.mutants("StructField", field.span()) {
                let mut without = expression.clone();
                without.fields = expression
                    .fields
                    .iter()
                    .filter(|other| other.member != field.member)
                    .cloned()
                    .collect();
                if !without.fields.is_empty() {
                    without.fields.push_punct(Default::default());
                }
                mutated.push((mutant, Expr::Struct(without)));
            }
        }
        mutated
    }
}

impl VisitMut for Planter<'_> {
    // Only the compiler evaluates these.
    fn visit_item_const_mut(&mut self, _: &mut ItemConst) {}
    fn visit_item_static_mut(&mut self, _: &mut ItemStatic) {}
    fn visit_impl_item_const_mut(&mut self, _: &mut ImplItemConst) {}
    fn visit_trait_item_const_mut(&mut self, _: &mut TraitItemConst) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_generic_argument_mut(&mut self, _: &mut syn::GenericArgument) {}
    fn visit_variant_mut(&mut self, _: &mut Variant) {}
    fn visit_expr_const_mut(&mut self, _: &mut syn::ExprConst) {}
    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    fn visit_item_fn_mut(&mut self, item: &mut ItemFn) {
        // A naked function, `#[unsafe(naked)]`, is one piece of assembly.
        if item.attrs.iter().any(|attr| attr.meta.to_token_stream().to_string().contains("naked")) {
            return;
        }
        self.function(&item.sig, &mut item.block);
    }
    fn visit_impl_item_fn_mut(&mut self, item: &mut ImplItemFn) {
        self.function(&item.sig, &mut item.block);
    }
    fn visit_trait_item_fn_mut(&mut self, item: &mut TraitItemFn) {
        if let Some(body) = &mut item.default {
            self.function(&item.sig, body);
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let mutants = match statement {
            Stmt::Expr(call, Some(_)) => self.mutants("Call", call.span()),
            _ => Vec::new(),
        };
        visit_mut::visit_stmt_mut(self, statement);
        for mutant in mutants {
            let active = self.active(mutant);
            *statement = parse_quote!(if !#active { #statement });
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let deleted = self.mutants("MatchArm", arm.span());
        self.visit_expr_mut(&mut arm.body);
        if let Pat::Guard(PatGuard { guard, .. }) = &mut arm.pat {
            let mut mutated = Vec::new();
            for mutant in self.mutants("MatchArmGuard", guard.span()) {
                if let (false, Ok(other)) = (has_let(guard), syn::parse_str(&mutant.replacement)) {
                    mutated.push((mutant, other));
                }
            }
            self.visit_expr_mut(guard);
            if !mutated.is_empty() {
                **guard = self.choice(guard, &mutated);
            }
        }
        for mutant in deleted {
            let active = self.active(mutant);
            let pat = &arm.pat;
            arm.pat = match pat {
                Pat::Guard(PatGuard { pat, guard, .. }) if has_let(guard) => {
                    guarded(pat, parse_quote!(!#active && #guard))
                }
                Pat::Guard(PatGuard { pat, guard, .. }) => {
                    guarded(pat, parse_quote!(!#active && (#guard)))
                }
                _ => guarded(pat, parse_quote!(!#active)),
            };
        }
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        let mutated = match expression {
            Expr::Binary(_) => return self.chain(expression),
            Expr::Unary(unary) => {
                let mutants = self.mutants("UnaryOperator", unary.op.span());
                mutants.into_iter().map(|mutant| (mutant, (*unary.expr).clone())).collect()
            }
            Expr::Struct(expression) => self.without_fields(expression),
            _ => Vec::new(),
        };
        visit_mut::visit_expr_mut(self, expression);
        if !mutated.is_empty() {
            *expression = self.choice(expression, &mutated);
        }
    }
}

fn guarded(pat: &Pat, guard: Expr) -> Pat {
    Pat::Guard(PatGuard {
        attrs: Vec::new(),
        pat: Box::new(pat.clone()),
        if_token: Default::default(),
        guard: Box::new(guard),
    })
}

/// Whether a condition binds something, outside of parentheses and blocks.
fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, right, .. }) => has_let(left) || has_let(right),
        _ => false,
    }
}

/// The operators of a chain, from left to right.
fn collect_operators(chain: &Expr, operators: &mut Vec<BinOp>) {
    if let Expr::Binary(binary) = chain {
        collect_operators(&binary.left, operators);
        operators.push(binary.op);
        collect_operators(&binary.right, operators);
    }
}

/// The text of a chain, with these operators.
fn flat(chain: &Expr, operators: &mut impl Iterator<Item = BinOp>) -> TokenStream {
    let Expr::Binary(binary) = chain else { return chain.to_token_stream() };
    let left = flat(&binary.left, operators);
    let operator = operators.next();
    let right = flat(&binary.right, operators);
    quote!(#left #operator #right)
}

#[cfg(test)]
mod tests;
