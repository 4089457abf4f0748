//! Every sample of every institution's folder does what it says.

use crate::payments::specs;
use codecs::sample;
use std::collections::BTreeMap;

#[test]
fn every_sample_does_what_it_says() {
    let samples = sample::embedded().unwrap_or_else(|error| panic!("{error}"));
    let failures: Vec<String> = samples
        .iter()
        .filter_map(|sample| sample.check(specs().spec(&sample.codec).unwrap()).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_folder_has_good_and_more_wrong_samples() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for sample in sample::embedded().unwrap() {
        let count = counts.entry(sample.codec.clone()).or_default();
        if sample.is_wrong() { count.1 += 1 } else { count.0 += 1 }
    }
    for spec in specs().iter() {
        let &(good, wrong) = counts.get(&spec.codec).unwrap_or(&(0, 0));
        assert!(good >= 2 && wrong > good, "{}: {good} good, {wrong} wrong", spec.codec);
    }
}

#[test]
fn a_sample_that_lies_is_noticed() {
    let samples = sample::embedded().unwrap();
    let mut sample = samples
        .iter()
        .find(|sample| sample.file == "142_document.txt")
        .unwrap()
        .clone();
    let spec = specs().spec("nps").unwrap();
    sample.check(spec).unwrap();
    sample.fields.push(("GrpHdr/MsgId".to_owned(), "1".to_owned()));
    assert!(sample.check(spec).unwrap_err().contains("sample.differs"));
    sample.expect = "xml.doctype".to_owned();
    assert!(sample.check(spec).is_err());
}
