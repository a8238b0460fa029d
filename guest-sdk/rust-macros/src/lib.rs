//! The attribute `#[task]`, re-exported by the `stepwell` crate as `#[stepwell::task]`.
//!
//! It leaves the function as it is, so that unit tests call it like any other, and adds the export
//! `stepwell:task/handler.run` of `wit/task.wit` for WebAssembly builds. It must never hold run-time behaviour: that
//! lives in the `stepwell` crate, where it can be tested.

mod task;

/// Makes a function the task of this module.
///
/// The function takes nothing or one value that implements `serde::Deserialize`, and returns `Result<R, E>`
/// where `R` implements `serde::Serialize` and `E` converts into `stepwell::TaskError`. One module holds one task.
///
/// ```text
/// #[stepwell::task]
/// fn handler(order: Order) -> Result<Receipt, TaskError> {
///     Ok(Receipt::for_order(&order))
/// }
/// ```
#[proc_macro_attribute]
pub fn task(
    arguments: proc_macro::TokenStream,
    function: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    task::expand(&arguments.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
