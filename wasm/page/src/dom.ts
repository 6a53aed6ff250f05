// Elements without a framework.

type Child = Node | string | null | undefined;

/** Attributes by name; `on…` is a listener, `true` an attribute without a value. */
export type Attributes = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Changes a text only where it is another, so that nothing is laid out again for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A button that says what it does. */
export function button(text: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h('button', { type: 'button', onclick: act, ...attributes }, text);
}

/** 1,234 */
export const grouped = (value: number): string => value.toLocaleString('en-US');

/** Is the reader spared of movement? */
export const isCalm = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
