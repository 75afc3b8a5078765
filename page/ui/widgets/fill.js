// Stands before every script of ours, after its texts: `texts`, by the keys that page/ui/words has for them, and `language`.

const plurals = new Intl.PluralRules(language);

/**
 * A text with its places filled in.
 * @param {string | Record<string, string>} text with places such as {count}, or such a text for each plural category of the count
 * @param {Record<string, string | number>} values by the names of the places
 * @returns {string}
 */
function fill(text, values) {
  const form = typeof text === "string" ? text : (text[plurals.select(Number(values.count))] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}
