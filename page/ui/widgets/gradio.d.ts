// What gradio gives to the script of a gr.HTML component: the script is the body of a function with these arguments.

interface Window {
  stitKept?: Record<string, any>;
}

/** The element that holds what the template says. */
declare const element: HTMLElement;
/** What Python sent; `value` goes back as the component's value in the next event. */
declare const props: { value: any } & Record<string, any>;
/** The component's functions in Python; a call that fails gives undefined. */
declare const server: Record<string, (asked: object) => Promise<any>>;
/** Fire an event of the component. */
declare function trigger(name: string, data?: object): void;
/** The texts of the page for this script, and the function of fill.js that fills in their places. */
declare const texts: Record<string, any>;
declare const language: string;
declare function fill(text: string | Record<string, string>, values: Record<string, string | number>): string;
/** Act whenever a prop has changed. */
declare function watch(name: string, act: () => void): void;
