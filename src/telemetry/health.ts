/**
 * `healthy`: does all it should. `degraded`: works, with less than asked. `unhealthy`: does not work. `unknown`: not started, or not yet known.
 * The boolean of the orchestrator's interface is `healthy` or `degraded`.
 */
export type HealthStatus = "healthy" | "degraded" | "unhealthy" | "unknown";

/** The state of one component, with a reason a person can act on. */
export interface Health {
	readonly status: HealthStatus;
	/** One sentence: what is so, and the next step where one is needed. Never a secret. */
	readonly message: string;
}

/** True where the component does its work, be it with less than asked. */
export function isHealthy(health: Health): boolean {
	return health.status === "healthy" || health.status === "degraded";
}

const order: readonly HealthStatus[] = ["healthy", "unknown", "degraded", "unhealthy"];

/** The worst of several states. */
export function worstStatus(states: readonly HealthStatus[]): HealthStatus {
	let worst = 0;
	for (const state of states) worst = Math.max(worst, order.indexOf(state));
	return order[worst] ?? "unknown";
}
