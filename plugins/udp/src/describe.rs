//! What the header of the stream says about how its values came about, as XML.

use std::fmt::Write as _;

use lockstep_plugin_api::xml_text;

use crate::layout::{PayloadPlan, Plan};
use crate::options::ExchangeKind;

/// The element `<udp>` for the stream's `desc`.
pub fn desc_xml(plan: &Plan) -> String {
    let payload = match plan.payload {
        PayloadPlan::Binary(_) => "binary",
        PayloadPlan::Csv(..) => "csv",
        PayloadPlan::Json(_) => "json",
        PayloadPlan::Marker => "marker",
    };
    let mut xml = String::from("<udp>");
    element(&mut xml, "payload", payload);
    element(&mut xml, "listen", &plan.listen.to_string());
    let fields = plan.payload.fields();
    let stamped = fields.and_then(|fields| fields.element(fields.stamp));
    element(&mut xml, "timestamp", stamped.map_or("arrival", |stamped| &stamped.name));
    let exchange = plan.exchange.map_or("none", |exchange| match exchange.kind {
        ExchangeKind::Ntp => "ntp",
        ExchangeKind::Echo | ExchangeKind::None => "echo",
    });
    element(&mut xml, "exchange", exchange);
    xml.push_str("<channels>");
    for channel in fields.into_iter().flat_map(|fields| fields.channel_elements()) {
        xml.push_str("<channel>");
        element(&mut xml, "field", &channel.name);
        if let Some(field_type) = channel.field_type {
            element(&mut xml, "raw_type", field_type.name());
        }
        if let Some(scaling) = channel.scaling {
            element(&mut xml, "scale", &format!("{:?}", scaling.scale));
            element(&mut xml, "offset", &format!("{:?}", scaling.offset));
        }
        xml.push_str("</channel>");
    }
    xml.push_str("</channels></udp>");
    xml
}

fn element(xml: &mut String, name: &str, text: &str) {
    // Writing into a String cannot fail.
    let _ = write!(xml, "<{name}>{}</{name}>", xml_text(text));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::layout::tests::plan;

    #[test]
    fn raw_types_and_scaling_are_told_and_names_are_escaped() {
        let options = json!({
            "payload": "binary",
            "fields": [
                {"name": "t", "type": "u32"},
                {"name": "a<&\u{1}", "type": "i16", "scale": 0.1, "offset": -2.0},
            ],
            "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        });
        assert_eq!(
            desc_xml(&plan(options).expect("good")),
            "<udp><payload>binary</payload><listen>127.0.0.1:5005</listen><timestamp>t</timestamp>\
             <exchange>none</exchange><channels><channel><field>a&lt;&amp;\u{FFFD}</field>\
             <raw_type>i16</raw_type><scale>0.1</scale><offset>-2.0</offset></channel></channels></udp>"
        );
    }
}
