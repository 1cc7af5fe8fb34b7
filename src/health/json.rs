//! A report as JSON.

use std::fmt::Write;

use super::report::Report;
use super::status::Verdict;
use crate::json::{list, rfc3339, string};

/// The document that `/health` answers with.
pub(super) fn document(report: &Report) -> String {
    let mut out = String::with_capacity(512);
    let _ = write!(out, "{{\"overall_status\":\"{}\",\"timestamp\":\"", report.overall());
    rfc3339(&mut out, report.unix);
    let _ = write!(out, "\",\"uptime_seconds\":{:.3},\"version\":", report.uptime.as_secs_f64());
    string(&mut out, &report.version);
    out.push_str(",\"resources\":{");
    list(&mut out, report.resources(), |out, resource| {
        string(out, &resource.name);
        let (status, used, threshold) = (resource.status, resource.used, resource.threshold);
        let _ = write!(
            out,
            ":{{\"status\":\"{status}\",\"used_ratio\":{used},\"threshold\":{threshold}}}"
        );
    });
    out.push_str("},\"components\":{");
    list(&mut out, report.components(), |out, (name, verdict)| component(out, name, verdict));
    out.push_str("},\"anomalies\":[");
    list(&mut out, report.anomalies(), |out, anomaly| {
        out.push_str("{\"name\":");
        string(out, &anomaly.name);
        let _ = write!(out, ",\"status\":\"{}\",\"details\":", anomaly.status);
        string(out, &anomaly.details);
        out.push('}');
    });
    out.push_str("],\"recommendations\":[");
    list(&mut out, report.recommendations(), |out, line| string(out, line));
    out.push_str("]}\n");
    out
}

fn component(out: &mut String, name: &str, verdict: &Verdict) {
    string(out, name);
    let _ = write!(out, ":{{\"status\":\"{}\",\"details\":", verdict.status());
    string(out, verdict.details());
    out.push('}');
}
