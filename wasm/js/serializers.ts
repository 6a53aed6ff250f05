// Serializers for `ProducerOptions.serializers`.

/** Anything as JSON. */
export function json(value: unknown): string {
  const encoded: string | undefined = JSON.stringify(value);
  if (encoded === undefined) throw new TypeError(`a ${typeof value} is no JSON`);
  return encoded;
}

/** Numbers, booleans, bigints and the like, as they are written. */
export function text(value: string | number | bigint | boolean): string {
  return String(value);
}
