//! What stands behind an address, `?name=value&...`. Unknown names are refused, so that a misspelt one is not ignored.

use axum::http::Uri;

use super::RestError;

/// The values of the names that an endpoint knows, in their order. Errors: `Invalid`.
pub(super) fn read<const N: usize>(uri: &Uri, names: [&str; N]) -> Result<[Option<String>; N], RestError> {
    let mut values = [const { None }; N];
    let parts = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let known = names.iter().position(|known| *known == name).and_then(|index| values.get_mut(index));
        let Some(place) = known else {
            let names = if N == 0 { "nothing".to_owned() } else { names.join(", ") };
            return Err(RestError::Invalid(format!("{name}: the address takes {names} behind the `?`")));
        };
        let decoded = decode(value);
        *place =
            Some(decoded.ok_or_else(|| RestError::Invalid(format!("{name}: is not percent-encoded UTF-8")))?);
    }
    Ok(values)
}

/// Undoes percent-encoding (RFC 3986, section 2.1); a plus sign is itself in `$LATEST` and names, which have none.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(query: &str) -> Option<[Option<String>; 2]> {
        let uri: Uri = format!("/modules/m?{query}").parse().unwrap();
        read(&uri, ["qualifier", "publish"]).ok()
    }

    #[test]
    fn values_are_decoded_and_unknown_names_refused() {
        assert_eq!(values(""), Some([None, None]));
        let both = [Some("$LATEST".to_owned()), Some("true".to_owned())];
        assert_eq!(values("publish=true&qualifier=%24LATEST"), Some(both));
        for wrong in ["qualifer=1", "qualifier=%2", "qualifier=%zz", "qualifier=%ff"] {
            assert_eq!(values(wrong), None, "{wrong}");
        }
    }
}
