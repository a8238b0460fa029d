//! Checks the annotated function and writes the export around it.
//!
//! Every refusal says what to do instead, at the place in the user's code that it is about.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType, Signature};

/// Returns the function followed by its export, or the first thing that is wrong with the function.
pub(crate) fn expand(arguments: &TokenStream, function: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new(arguments.span(), "#[stepwell::task] takes no arguments"));
    }
    let function: ItemFn = syn::parse2(function)?;
    check(&function.sig)?;
    let call = call(&function.sig);
    Ok(quote! {
        #[allow(clippy::needless_pass_by_value, reason = "a task owns its input")]
        #function

        // One body for both builds: a native build checks the same types that the WebAssembly build needs, and the
        // function counts as used there, too.
        const _: () = {
            fn run(input: &str) -> ::core::result::Result<::std::string::String, ::stepwell::TaskError> {
                #call
            }

            #[cfg(not(target_arch = "wasm32"))]
            const _: fn(&str) -> ::core::result::Result<::std::string::String, ::stepwell::TaskError> = run;

            #[cfg(target_arch = "wasm32")]
            struct Module;

            #[cfg(target_arch = "wasm32")]
            impl ::stepwell::__export::Guest for Module {
                fn run(
                    input: ::std::string::String,
                ) -> ::core::result::Result<::std::string::String, ::stepwell::__export::WireError> {
                    run(&input).map_err(::core::convert::Into::into)
                }
            }

            #[cfg(target_arch = "wasm32")]
            ::stepwell::__export::export!(Module with_types_in ::stepwell::bindings);
        };
    })
}

/// Returns the expression that calls the function with the decoded input.
fn call(signature: &Signature) -> TokenStream {
    let name = &signature.ident;
    if signature.inputs.is_empty() {
        quote! { ::stepwell::__export::run(input, |_: ::stepwell::__export::AnyInput| #name()) }
    } else {
        quote! { ::stepwell::__export::run(input, #name) }
    }
}

/// Refuses what a synchronous, plain call with one decoded value cannot serve.
fn check(signature: &Signature) -> Result<()> {
    if let Some(token) = signature.asyncness {
        return Err(Error::new(token.span, "a task is synchronous: remove `async`"));
    }
    if let Some(token) = signature.unsafety {
        return Err(Error::new(token.span, "a task is safe to call: remove `unsafe`"));
    }
    if !signature.generics.params.is_empty() {
        let message = "a task has concrete types: replace the generic parameters";
        return Err(Error::new(signature.generics.span(), message));
    }
    if let Some(receiver) = signature.receiver() {
        return Err(Error::new(receiver.span(), "a task is a free function: remove `self`"));
    }
    if let Some(second) = signature.inputs.iter().nth(1) {
        let message = "a task takes one value: put the fields into one struct that implements Deserialize";
        return Err(Error::new(second.span(), message));
    }
    if matches!(signature.output, ReturnType::Default) {
        let message =
            "a task returns Result<R, TaskError>: use Result<(), TaskError> when there is no result";
        return Err(Error::new(signature.ident.span(), message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the message of the refusal, or the generated code when there is none.
    fn refusal(function: TokenStream) -> String {
        match expand(&TokenStream::new(), function) {
            Ok(code) => code.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn keeps_the_function_and_adds_an_export() {
        let code = refusal(quote! { fn charge(order: Order) -> Result<Receipt, TaskError> { todo() } });
        assert!(code.contains("fn charge (order : Order) -> Result < Receipt , TaskError >"), "{code}");
        assert!(code.contains("__export :: run (input , charge)"), "{code}");
        assert!(code.contains("__export :: export !"), "{code}");
    }

    #[test]
    fn accepts_a_function_without_input() {
        let code = refusal(quote! { fn tick() -> Result<(), TaskError> { Ok(()) } });
        assert!(code.contains("AnyInput | tick ()"), "{code}");
    }

    #[test]
    fn says_what_to_do_instead() {
        assert!(refusal(quote! { async fn f() -> Result<(), E> { Ok(()) } }).contains("remove `async`"));
        assert!(refusal(quote! { unsafe fn f() -> Result<(), E> { Ok(()) } }).contains("remove `unsafe`"));
        assert!(refusal(quote! { fn f<T>(t: T) -> Result<T, E> { Ok(t) } }).contains("concrete types"));
        assert!(refusal(quote! { fn f(&self) -> Result<(), E> { Ok(()) } }).contains("free function"));
        assert!(refusal(quote! { fn f(a: A, b: B) -> Result<(), E> { Ok(()) } }).contains("one struct"));
        assert!(refusal(quote! { fn f(a: A) {} }).contains("Result<(), TaskError>"));
        assert!(refusal(quote! { struct S; }).contains("expected"));
        let arguments = quote! { name = "x" };
        assert!(
            expand(&arguments, quote! { fn f() -> R { } }).unwrap_err().to_string().contains("no arguments")
        );
    }
}
