import { LitElement } from 'lit';

/**
 * The base of all elements here: they render into the page itself, because one style sheet is shared
 * by all of them and ids must be unique on a page anyway.
 */
export class PageElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** The element with this id after the next render, to move the focus to it. */
  protected async focusOn(id: string): Promise<void> {
    await this.updateComplete;
    this.querySelector<HTMLElement>(`#${id}`)?.focus();
  }
}
