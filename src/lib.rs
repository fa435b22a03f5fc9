//! eigenscope: launch, watch and compare low-rank adapter runs in one terminal program.
//!
//! The map, in layer order; a module imports only from layers at or below its own.
//!
//! | layer | modules |
//! |---|---|
//! | 0 words | [`event`], [`record`], [`spec`], [`untrusted`], [`whole`], [`sqlite`], [`config`] |
//! | 1 mathematics | [`cache`], [`hub`], [`random`], [`metric`], [`stats`], [`task`], [`data`], [`tensors`], [`adapter`], [`model`], [`analysis`], [`train`], [`cpu`], [`cuda`], [`format`](mod@format), [`job`], [`sweep`], [`tracker`] |
//! | 2 memory | [`store`] |
//! | 3 motion | [`engine`] |
//! | 4 meaning | [`view`], [`figure`], [`chart`] |
//! | 5 surfaces | [`ui`], [`export`], [`report`], [`cli`] |
//! | 6 wiring | [`app`] |

pub mod event;
pub mod record;
pub mod spec;
pub mod untrusted;
pub mod whole;

pub mod config;
pub mod sqlite;

pub mod adapter;
pub mod analysis;
pub mod cache;
pub mod cpu;
pub mod cuda;
pub mod data;
pub mod format;
pub mod hub;
pub mod job;
pub mod metric;
pub mod model;
pub mod random;
pub mod stats;
pub mod sweep;
pub mod task;
pub mod tensors;
pub mod tracker;
pub mod train;

pub mod store;

pub mod engine;

pub mod chart;
pub mod figure;
pub mod view;

pub mod cli;
pub mod export;
pub mod report;
pub mod ui;

pub mod app;
