/** The value of an environment variable, undefined where it is not set. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What {@link expand} found. */
export type Expansion =
	| { readonly outcome: "unchanged" }
	| { readonly outcome: "expanded"; readonly text: string }
	| { readonly outcome: "unset"; readonly variable: string }
	| { readonly outcome: "malformed"; readonly message: string };

/** `$$`, a well-formed `${NAME}` or `${NAME:-default}`, or the start of something that only looks like one. */
const reference = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{/g;

/**
 * Expands `${NAME}` and `${NAME:-default}` in one scalar, once: what a variable holds is not read again. The default also stands for an empty variable, as
 * in a shell. `$$` is `$`; any other `$` stays.
 */
export function expand(text: string, variables: Variables): Expansion {
	if (!text.includes("$$") && !text.includes("${")) return { outcome: "unchanged" };
	let unset: string | undefined;
	let malformed = false;
	const result = text.replace(reference, (whole, name: string | undefined, fallback: string | undefined) => {
		if (whole === "$$") return "$";
		if (name === undefined) {
			malformed = true;
			return "";
		}
		const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
		if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
		if (value === undefined) unset ??= name;
		return value ?? "";
	});
	if (malformed) return { outcome: "malformed", message: `has a \${ that is neither \${NAME} nor \${NAME:-default}; a plain \${ is written $\${` };
	return unset === undefined ? { outcome: "expanded", text: result } : { outcome: "unset", variable: unset };
}
