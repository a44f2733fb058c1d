//! Judges a body: it may use what its exercise lists, and names that it binds itself. Anything else is refused by name.
//!
//! The body is parsed as a block of its own, so it cannot end the function that it is put into. The tree gets the very
//! bytes that were parsed (`holes::put`).

mod scopes;
#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, Attribute, Block, Expr, Local, Macro, Pat, Path, Stmt, Token, Type};

use crate::Outcome;
use crate::exercises::{Exercise, Lab, Uses};
use crate::holes;
use scopes::Scopes;

/// The most lines that a body may have. The longest answer has 30.
const MOST_LINES: usize = 200;
/// The most bytes of a body.
const MOST_BYTES: usize = 16 << 10;
/// The stack that the parser gets, which calls itself for each `!` of `!!!true`. The deepest body needs a quarter of this.
const STACK_BYTES: usize = 256 << 20;
/// The most complaints about a body.
const MOST_COMPLAINTS: usize = 8;

/// Complaints about the body of `exercise`.
pub(crate) fn complaints(lab: &Lab, exercise: &Exercise, body: Outcome<String>) -> Vec<String> {
    let text = match body {
        Ok(text) => text,
        Err(why) => return vec![why],
    };
    if text.lines().count() > MOST_LINES || text.len() > MOST_BYTES {
        return vec![format!("more than {MOST_LINES} lines, or {} KB", MOST_BYTES >> 10)];
    }
    if holes::has_mark(&text) {
        return vec!["a comment like those around the bodies".into()];
    }
    if let Some((number, character)) = hidden(&text) {
        let code = u32::from(character);
        return vec![format!("line {number}: a character that nobody sees, U+{code:04X}")];
    }
    std::thread::scope(|scope| {
        let judge = || judged(lab, exercise, &text);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let judging = thread.spawn_scoped(scope, judge).map(|thread| thread.join());
        match judging {
            Ok(Ok(complaints)) => complaints,
            _ => vec!["this body cannot be judged".into()],
        }
    })
}

/// The first character of a body, with its line, that an editor does not show for what it is: a control character, a
/// space that is none, a mark that turns the direction of writing. The parser takes some of them for spaces, and the
/// compiler does not, or the other way round.
fn hidden(text: &str) -> Option<(usize, char)> {
    let is_hidden = |character: &char| {
        character.is_control() && *character != '\t'
            || character.is_whitespace() && !character.is_ascii()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut lines = (1..).zip(text.split('\n'));
    lines.find_map(|(number, line)| line.chars().find(is_hidden).map(|found| (number, found)))
}

/// Complaints about a body that may be parsed.
fn judged(lab: &Lab, exercise: &Exercise, text: &str) -> Vec<String> {
    let block = match syn::parse_str::<Block>(&format!("{{\n{text}\n}}")) {
        Ok(block) => block,
        Err(error) => return vec![format!("line {}: {error}", line(error.span()))],
    };
    let mut judge = Judge {
        all: &lab.all,
        own: &exercise.uses,
        scopes: Scopes::default(),
        complaints: Vec::new(),
    };
    judge.visit_block(&block);
    judge.complaints.truncate(MOST_COMPLAINTS);
    judge.complaints
}

/// The line of a span, from 1 on, in the body.
fn line(span: Span) -> usize {
    span.start().line.saturating_sub(1).max(1)
}

/// A path in one word, without generic arguments.
fn name(path: &Path) -> String {
    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let root = if path.leading_colon.is_some() { "::" } else { "" };
    format!("{root}{}", segments.join("::"))
}

/// Whether an expression is a name alone.
fn is_name(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if path.qself.is_none() && path.path.get_ident().is_some())
}

/// The visitor of a body.
struct Judge<'a> {
    all: &'a Uses,
    own: &'a Uses,
    scopes: Scopes,
    complaints: Vec<String>,
}

impl Judge<'_> {
    fn refuse(&mut self, span: Span, what: &str) {
        self.complaints.push(format!("line {}: {what}", line(span)));
    }

    /// Refuses the use of a value that is neither listed nor bound.
    fn judge_value(&mut self, path: &Path) {
        if !path.get_ident().is_some_and(|ident| self.scopes.binds(ident)) {
            self.judge_name(path);
        }
    }

    /// Refuses the use of a name that is not listed. A binding makes a value, and no type.
    fn judge_name(&mut self, path: &Path) {
        let name = name(path);
        if !self.all.paths.contains(&name) && !self.own.paths.contains(&name) {
            self.refuse(path.span(), &format!("`{name}` is not among what this exercise may use"));
        }
    }

    /// Visits in a scope of its own.
    fn within(&mut self, visit: impl FnOnce(&mut Self)) {
        self.scopes.enter();
        visit(self);
        self.scopes.leave();
    }

    fn visit_attributes(&mut self, attributes: &[Attribute]) {
        attributes.iter().for_each(|attribute| self.visit_attribute(attribute));
    }

    fn bind(&mut self, pat: &Pat) {
        self.visit_pat(pat);
        self.scopes.bind(pat);
    }
}

impl<'ast> Visit<'ast> for Judge<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.refuse(attribute.span(), "no attributes and no doc comments in a body");
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.within(|judge| visit::visit_block(judge, block));
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        match stmt {
            Stmt::Item(item) => {
                self.refuse(item.span(), "no items in a body: no fn, use, const, macro_rules");
            }
            _ => visit::visit_stmt(self, stmt),
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        self.visit_attributes(&local.attrs);
        if let Some(init) = &local.init {
            self.visit_expr(&init.expr);
            if let Some((_, diverge)) = &init.diverge {
                self.visit_expr(diverge);
            }
        }
        self.bind(&local.pat);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.within(|judge| {
            judge.scopes.bind(&arm.pat);
            visit::visit_arm(judge, arm);
        });
    }

    fn visit_pat(&mut self, pat: &'ast Pat) {
        match pat {
            Pat::Verbatim(_) => self.refuse(pat.span(), "this kind of pattern is not for a body"),
            _ => visit::visit_pat(self, pat),
        }
    }

    fn visit_type(&mut self, written: &'ast Type) {
        match written {
            Type::Verbatim(_) => self.refuse(written.span(), "this kind of type is not for a body"),
            _ => visit::visit_type(self, written),
        }
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Unsafe(_) => self.refuse(expr.span(), "no unsafe code"),
            Expr::Async(_) | Expr::Await(_) | Expr::Yield(_) | Expr::TryBlock(_) => {
                self.refuse(expr.span(), "no asynchronous code");
            }
            Expr::Const(_) | Expr::RawAddr(_) | Expr::Verbatim(_) => {
                self.refuse(expr.span(), "this kind of expression is not for a body");
            }
            Expr::Path(path) if path.qself.is_some() => {
                self.refuse(expr.span(), "no `<Type as Trait>::name`: use the plain name");
            }
            Expr::Path(path) => {
                self.judge_value(&path.path);
                visit::visit_expr_path(self, path);
            }
            Expr::Struct(made) => {
                self.judge_name(&made.path);
                visit::visit_expr_struct(self, made);
            }
            Expr::Call(call) => {
                if !matches!(&*call.func, Expr::Path(_)) {
                    self.refuse(call.func.span(), "only a function with a name can be called");
                }
                visit::visit_expr_call(self, call);
            }
            Expr::MethodCall(call) => {
                let method = call.method.to_string();
                if !self.all.methods.contains(&method) && !self.own.methods.contains(&method) {
                    let what = format!("`.{method}()` is not among what this exercise may call");
                    self.refuse(call.method.span(), &what);
                }
                visit::visit_expr_method_call(self, call);
            }
            Expr::Closure(closure) => self.within(|judge| {
                judge.visit_attributes(&closure.attrs);
                closure.inputs.iter().for_each(|input| judge.bind(input));
                judge.visit_return_type(&closure.output);
                judge.visit_expr(&closure.body);
            }),
            Expr::ForLoop(turn) => {
                self.visit_attributes(&turn.attrs);
                self.visit_expr(&turn.expr);
                self.within(|judge| {
                    judge.bind(&turn.pat);
                    judge.visit_block(&turn.body);
                });
            }
            Expr::If(branch) => {
                self.visit_attributes(&branch.attrs);
                self.within(|judge| {
                    judge.visit_expr(&branch.cond);
                    judge.visit_block(&branch.then_branch);
                });
                if let Some((_, otherwise)) = &branch.else_branch {
                    self.visit_expr(otherwise);
                }
            }
            Expr::While(turn) => self.within(|judge| visit::visit_expr_while(judge, turn)),
            Expr::Let(cond) => {
                self.visit_attributes(&cond.attrs);
                self.visit_expr(&cond.expr);
                self.bind(&cond.pat);
            }
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let name = name(&called.path);
        if !self.all.macros.contains(&name) && !self.own.macros.contains(&name) {
            let what = format!("`{name}!` is not among what this exercise may use");
            return self.refuse(called.path.span(), &what);
        }
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        match called.parse_body_with(arguments) {
            Ok(arguments) => {
                for argument in &arguments {
                    // A named argument of the text is no assignment.
                    let value = match argument {
                        Expr::Assign(named) if is_name(&named.left) => &named.right,
                        argument => argument,
                    };
                    self.visit_expr(value);
                }
            }
            Err(error) => self.refuse(called.path.span(), &format!("in `{name}!`: {error}")),
        }
    }
}
