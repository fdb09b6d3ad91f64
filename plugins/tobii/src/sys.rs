//! The C side of Tobii's libraries: types and functions, as the libraries that are installed have them. Only what is
//! called is declared, in our own words; none of Tobii's code is here.

#[cfg(test)]
mod genuine;
pub mod library;
pub mod pro_sdk;
pub mod stream_engine;
pub mod version;
