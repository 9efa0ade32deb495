// Made by `make web` from openapi.json. Do not edit.

export interface paths {
    "/api/builds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    cursor?: string;
                    /** @description At most this many. */
                    limit?: number;
                    /** @description How their ids begin. */
                    prefix?: string;
                    project?: string | null;
                    state?: components["schemas"]["BuildPhase"] | null;
                    /** @description `all`: of every user; only for an owner of the server. */
                    whose?: "mine" | "all";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BuildPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description At most this many tasks are listed. */
                    tasks?: number;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Status"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query: {
                    /** @description Number of an attempt at the task, landed or not. */
                    left: number;
                    /** @description Number of an attempt at the task, landed or not. */
                    right: number;
                    /** @description Id of a task; "" for all. */
                    task: string;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AttemptsView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/choices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ChoicesView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BuildCosts"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/deliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["DeliverBuild"] | null;
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Standing"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query: {
                    /** @description Number of an event: as things were after it; 0: as they are now. */
                    at?: number;
                    /** @description `merged`: with all that has landed; `base`: as before the build. */
                    of?: "merged" | "base";
                    /** @description From the top of the repository. */
                    path: string;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FileView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/forecast": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CostForecast"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/gates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Id of a task; "" for all. */
                    task?: string;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["GatesView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/instructions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Instructions"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Only those with a larger number. */
                    after?: number;
                    /** @description Only lines of this kind. */
                    kind?: string;
                    /** @description At most this many. */
                    limit?: number;
                    /** @description Only lines with this text, in any case. */
                    search?: string;
                    /** @description The newest lines instead of those after `after`. */
                    tail?: boolean;
                    /** @description Id of a task; "" for all. */
                    task?: string;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LogPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description The newest of them. */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Receipts"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/moments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FilesMoments"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["PauseBuild"] | null;
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Standing"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/phases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PhaseRail"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/phases/{number}/graph": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                    /** @description Number of the phase, from 1. */
                    number: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PhaseGraph"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Of `content`. */
                    form?: "yaml" | "json";
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanText"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    /** @description Check it and say how it differs, and change nothing. */
                    dry_run?: boolean;
                };
                header?: {
                    /** @description The ETag of the plan that was changed; without it, as the plan is now. */
                    "if-match"?: string;
                };
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlanWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanAnswer"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/plan/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanTable"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/plan/without/{task}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                    /** @description Id of a task; "" for all. */
                    task: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WithoutTask"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["ResumeBuild"] | null;
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Standing"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/review": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Lines that differ in white space alone count as the same. */
                    ignore_space?: boolean;
                    /** @description Id of a task; "" for all. */
                    task?: string;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReviewView"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SendReview"];
                };
            };
            responses: {
                /** @description Successful Response */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReviewTaken"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/say": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SendMessage"];
                };
            };
            responses: {
                /** @description Successful Response */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Receipt"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/spec-progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SpecProgress"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    /** @description Seconds to wait for its end. */
                    wait_seconds?: number;
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["StopBuild"] | null;
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Standing"];
                    };
                };
                /** @description It is ending. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Standing"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/summary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BuildSummary"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/tree": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Number of an event: as things were after it; 0: as they are now. */
                    at?: number;
                    /** @description `merged`: with all that has landed; `base`: as before the build. */
                    of?: "merged" | "base";
                };
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TreeView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/builds/{build_id}/why/{task}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the build. */
                    build_id: string;
                    /** @description Id of a task; "" for all. */
                    task: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WhyView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Only of your build with this id. */
                    build?: string;
                    /** @description What to sum by; days are of UTC. */
                    by?: "day" | "month" | "project" | "user" | "model" | "agent" | "build" | "task" | "attempt" | "requirement" | "result";
                    /** @description Only requests at this time or later. */
                    since?: string | null;
                    /** @description Only requests before this time. */
                    until?: string | null;
                    /** @description `all`: of every user; only for an owner of the server. */
                    whose?: "mine" | "all";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Costs"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/home": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description When the user was here: `as_of` of the page then. Without it no news. */
                    since?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Home"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/server": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/server/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerAgents"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/targets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TargetKinds"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/targets/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TargetWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TargetChecked"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/team": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TeamPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Me"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Version"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description `next_cursor` of the page before. */
                    cursor?: string;
                    /** @description At most this many. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectDetail"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/build": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description The same request with the same key is carried out once, within six hours. */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BuildRequest"];
                };
            };
            responses: {
                /** @description Successful Response */
                202: {
                    headers: {
                        /** @description Where to look at it. */
                        Location?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BuildAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/build/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BuildRequest"];
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanView"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/{contract_type}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Version; 0 for the newest. */
                    version?: number;
                };
                header?: never;
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractText"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    /** @description Check it and say what it makes stale, and keep nothing. */
                    dry_run?: boolean;
                };
                header?: {
                    /** @description The ETag of the version that was changed; without it, the newest. */
                    "if-match"?: string;
                };
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ContractWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractsChange"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/{contract_type}/comments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CommentWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractComment"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/{contract_type}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Version; 0 for the newest. */
                    new?: number;
                    /** @description Version; 0 for the newest. */
                    old?: number;
                };
                header?: never;
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractDiff"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/{contract_type}/rewrite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description The same request with the same key is carried out once, within six hours. */
                    "Idempotency-Key"?: string;
                };
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PassageWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        /** @description Where to look at it. */
                        Location?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RewrittenContract"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/{contract_type}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/comments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Only those on this contract. */
                    contract_type?: ("blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive") | null;
                    /** @description With those that are resolved. */
                    resolved?: boolean;
                };
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CommentList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/comments/{comment_id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the comment. */
                    comment_id: string;
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["CommentState"] | null;
                };
            };
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractComment"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/draft": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractDrafts"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/contracts/take": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TakenContracts"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/page": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectOverview"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/projects/{project_id}/questionnaire/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the project. */
                    project_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InterviewView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    page?: number;
                    /** @description A text in the name, in either case. */
                    search?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RepositoryListView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos/{repository_id}/audits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description Only those of pushes to it. */
                    branch?: string;
                    /** @description `next_cursor` of the page before. */
                    cursor?: string;
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description Id of the connected repository. */
                    repository_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PushAuditListView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos/{repository_id}/audits/{audit_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the audit. */
                    audit_id: string;
                    /** @description Id of the connected repository. */
                    repository_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PushAuditView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos/{repository_id}/disconnect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id of the connected repository. */
                    repository_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Disconnected"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos/connect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ConnectWish"];
                };
            };
            responses: {
                /** @description Successful Response */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConnectedView"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repos/connected": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Successful Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConnectedListView"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AgentChoice
         * @description An agent that a build can be made with, and what it is.
         */
        AgentChoice: {
            /** Name */
            name: string;
            /** Words */
            words: string;
        };
        /**
         * Answer
         * @description One answer, in the form of a statement that can be read without its question.
         */
        Answer: {
            /** Id */
            id: string;
            /**
             * Origin
             * @enum {string}
             */
            origin: "said" | "assumed" | "found";
            /**
             * Question
             * @default
             */
            question: string;
            /**
             * Revision
             * @default 1
             */
            revision: number;
            /**
             * Section
             * @enum {string}
             */
            section: "product_intent" | "tech_stack" | "database_schema" | "api_endpoints" | "ui_requirements" | "architectural_boundaries" | "deployment_target" | "phase_breakdown";
            /**
             * Source
             * @default
             */
            source: string;
            /** Text */
            text: string;
        };
        /**
         * ApprovableFinding
         * @description A finding that keeps the task's change from landing, and asks for a person's consent.
         */
        ApprovableFinding: {
            /** Finding */
            finding: string;
            /** Words */
            words: string;
        };
        /**
         * ApprovalView
         * @description A finding that a person let pass.
         */
        ApprovalView: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** By */
            by: string;
            /** Code */
            code: string;
            /** Finding */
            finding: string;
            /** Reason */
            reason: string;
            /** Task */
            task: string;
        };
        /**
         * AttemptEnd
         * @description An attempt and its change.
         */
        AttemptEnd: {
            /** Added */
            added: number;
            /** Attempt */
            attempt: number;
            /** Files */
            files: number;
            /** New */
            new: string;
            /** Old */
            old: string;
            /** Removed */
            removed: number;
        };
        /**
         * AttemptFile
         * @description A file that at least one of the attempts changed.
         */
        AttemptFile: {
            /**
             * Besides
             * @default
             */
            besides: string;
            /**
             * Hunks
             * @default []
             */
            hunks: components["schemas"]["AttemptHunk"][];
            /**
             * Left Kind
             * @default
             */
            left_kind: string;
            /**
             * Match
             * @enum {string}
             */
            match: "same" | "differs" | "only_left" | "only_right";
            /**
             * Not Shown
             * @default
             */
            not_shown: string;
            /** Path */
            path: string;
            /**
             * Right Kind
             * @default
             */
            right_kind: string;
            /** Words */
            words: string;
        };
        /**
         * AttemptHunk
         * @description Hunks of both changes that are about the same lines of the file as it was.
         */
        AttemptHunk: {
            /** Differs */
            differs: boolean;
            /**
             * Heading
             * @default
             */
            heading: string;
            /**
             * Left Start
             * @default 0
             */
            left_start: number;
            /**
             * Right Start
             * @default 0
             */
            right_start: number;
            /** Runs */
            runs: components["schemas"]["AttemptLinesRun"][];
        };
        /**
         * AttemptLines
         * @description A line of the left attempt's change beside the one of the right; None where one of them has none.
         */
        AttemptLines: {
            left?: components["schemas"]["DiffLine"] | null;
            right?: components["schemas"]["DiffLine"] | null;
        };
        /**
         * AttemptLinesRun
         * @description Lines one after the other that are the same in both changes, or that differ.
         */
        AttemptLinesRun: {
            /** Differs */
            differs: boolean;
            /** Lines */
            lines: components["schemas"]["AttemptLines"][];
        };
        /**
         * AttemptsView
         * @description The changes of two attempts at a task, side by side.
         */
        AttemptsView: {
            /** Build */
            build: string;
            /**
             * Files
             * @default []
             */
            files: components["schemas"]["AttemptFile"][];
            left: components["schemas"]["AttemptEnd"];
            right: components["schemas"]["AttemptEnd"];
            /** Task */
            task: string;
            /** Words */
            words: string;
        };
        /**
         * AttemptView
         * @description One attempt at the task and its result. `seconds` is its working time, None while it runs.
         */
        AttemptView: {
            /**
             * Agent
             * @default
             */
            agent: string;
            /** Changes */
            changes?: number | null;
            /**
             * Denied
             * @default []
             */
            denied: string[];
            /**
             * Detail
             * @default
             */
            detail: string;
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /**
             * Has Change
             * @default false
             */
            has_change: boolean;
            /**
             * Kept
             * @default
             */
            kept: string;
            /**
             * Kept Because
             * @default
             */
            kept_because: string;
            /**
             * Models
             * @default []
             */
            models: components["schemas"]["ModelUse"][];
            /** Number */
            number: number;
            /**
             * Outcome
             * @default running
             */
            outcome: string;
            /** Seconds */
            seconds?: number | null;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
        };
        /**
         * AuditBadge
         * @description What one check of the audit said of a phase.
         */
        AuditBadge: {
            /** Findings */
            findings: number;
            /** Name */
            name: string;
            /** Result */
            result: string;
        };
        /**
         * Audits
         * @description Verdicts of the gates on changes and on their merged trees.
         */
        Audits: {
            /**
             * Failed
             * @default 0
             */
            failed: number;
            /**
             * Passed
             * @default 0
             */
            passed: number;
            /**
             * Reports
             * @default 0
             */
            reports: number;
            /**
             * Total
             * @default 0
             */
            total: number;
        };
        /**
         * BothAnswers
         * @description Two answers that cannot both hold, side by side, and why.
         */
        BothAnswers: {
            first: components["schemas"]["Answer"];
            second: components["schemas"]["Answer"];
            /** Sentence */
            sentence: string;
        };
        /**
         * BuildAnswer
         * @description The result of a request to a build.
         */
        BuildAnswer: {
            /** Build Id */
            build_id: string;
            /** Project Id */
            project_id: string;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
        };
        /**
         * BuildCard
         * @description A build as the first page shows it.
         */
        BuildCard: {
            /** Budget Usd */
            budget_usd?: number | string | null;
            /** Clocks Run */
            clocks_run: boolean;
            /** Cost Usd */
            cost_usd: number | string;
            /** Counts */
            counts?: {
                [key: string]: number;
            };
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            health: components["schemas"]["BuildHealth"];
            /** Id */
            id: string;
            /** Outcome */
            outcome: string;
            /**
             * Phase
             * @default
             */
            phase: string;
            /**
             * Phase Count
             * @default 0
             */
            phase_count: number;
            /**
             * Phase Number
             * @default 0
             */
            phase_number: number;
            /**
             * Progress
             * @default 0
             */
            progress: number;
            /** Project */
            project: string;
            /**
             * Running
             * @default []
             */
            running: string[];
            /** Seconds */
            seconds: number;
            seconds_left?: components["schemas"]["Range"] | null;
            /** State */
            state: string;
            /** Title */
            title: string;
            /**
             * Total
             * @default 0
             */
            total: number;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** Version */
            version: number;
        };
        /**
         * BuildCost
         * @description Tokens and money of one phase with one model. Input tokens exclude cache reads and writes.
         */
        BuildCost: {
            /** Cache Read Tokens */
            cache_read_tokens: number;
            /** Cache Write Tokens */
            cache_write_tokens: number;
            /** Estimated Cost Usd */
            estimated_cost_usd: number | string;
            /** Input Tokens */
            input_tokens: number;
            /** Model */
            model: string;
            /** Output Tokens */
            output_tokens: number;
            /** Phase */
            phase: string;
            /** Requests */
            requests: number;
            /** Unpriced */
            unpriced: number;
        };
        /**
         * BuildCosts
         * @description What one build cost so far.
         */
        BuildCosts: {
            /** Build */
            build: string;
            /** Cached */
            cached: number;
            estimated?: components["schemas"]["EstimateOutcome"] | null;
            /** Tables */
            tables: components["schemas"]["CostTable"][];
            total: components["schemas"]["CostSum"];
            /** Version */
            version: number;
        };
        /**
         * BuildDefaults
         * @description What a build has where the user says nothing.
         */
        BuildDefaults: {
            /** Agent */
            agent: string;
            /** Agents */
            agents: components["schemas"]["AgentChoice"][];
            /** Approve Plan */
            approve_plan: boolean;
            /** Budget Usd */
            budget_usd?: number | string | null;
            /** May Run Commands */
            may_run_commands: boolean;
        };
        /**
         * BuildHealth
         * @description How a build, or a project by its newest build, is doing: the colour, and why in words.
         */
        BuildHealth: {
            /** Cause */
            cause: string;
            /**
             * Colour
             * @enum {string}
             */
            colour: "green" | "yellow" | "red";
        };
        /**
         * BuildPage
         * @description Builds, newest first.
         */
        BuildPage: {
            /** Items */
            items: components["schemas"]["BuildRow"][];
            /**
             * Next Cursor
             * @description `cursor` of the next page; null on the last.
             */
            next_cursor?: string | null;
        };
        /**
         * BuildPhase
         * @description The phase of a build in the build runtime; the column `phase` of the head row.
         * @enum {string}
         */
        BuildPhase: "planning" | "implementing" | "verifying" | "reviewing" | "iterating" | "ready" | "aborted" | "error";
        /**
         * BuildRequest
         * @description A build to start. Target and spec that are left out are those of the project.
         */
        BuildRequest: {
            /**
             * Base
             * @description Branch, tag or commit; else what is checked out.
             * @default
             */
            base: string;
            /**
             * Contracts
             * @description Build from the project's contracts. Left out: if it has any, and the request has no spec or tasks.
             */
            contracts?: boolean | null;
            /** @default {} */
            options: components["schemas"]["OptionsRequest"];
            /**
             * Spec
             * @description Markdown: what to build.
             * @default
             */
            spec: string;
            /**
             * Target Ref
             * @default
             */
            target_ref: string;
            /** Target Type */
            target_type?: ("local_path" | "github_existing" | "github_new") | null;
            /** Tasks */
            tasks?: {
                [key: string]: unknown;
            }[] | null;
        };
        /**
         * BuildRow
         * @description A build as a list shows it, without reading its journal: of the store, the API, `--json` and the library alike.
         */
        BuildRow: {
            /** Build Id */
            build_id: string;
            /** Completed At */
            completed_at: string | null;
            /** Control */
            control: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Current Task Id */
            current_task_id: string;
            /** Outcome */
            outcome: string;
            /** Phase */
            phase: string;
            /** Project Id */
            project_id: string;
            /** Title */
            title: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** User Id */
            user_id: string;
            /** Version */
            version: number;
        };
        /**
         * BuildSummary
         * @description The results of a build, so far or final.
         */
        BuildSummary: {
            /** Attempts */
            attempts: number;
            audits: components["schemas"]["Audits"];
            /** Build Id */
            build_id: string;
            /** Cache Read Tokens */
            cache_read_tokens: number;
            /** Cache Write Tokens */
            cache_write_tokens: number;
            /** Commits */
            commits: number;
            /** Completed At */
            completed_at?: string | null;
            /**
             * Contracts
             * @default 0
             */
            contracts: number;
            /**
             * Costs
             * @default []
             */
            costs: components["schemas"]["BuildCost"][];
            delivered?: components["schemas"]["DeliveredResult"] | null;
            /** Estimated Cost Usd */
            estimated_cost_usd: number | string;
            /** Files Written */
            files_written: number;
            /** Input Tokens */
            input_tokens: number;
            /**
             * Interjections
             * @default []
             */
            interjections: components["schemas"]["Interjection"][];
            /** Loopbacks */
            loopbacks: number;
            /**
             * Message
             * @default
             */
            message: string;
            /** Output Tokens */
            output_tokens: number;
            /** Pauses */
            pauses: number;
            /**
             * Phases
             * @default []
             */
            phases: components["schemas"]["PhaseSummary"][];
            /** Project Id */
            project_id: string;
            /** Seconds */
            seconds: number;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
            /** Tasks */
            tasks: {
                [key: string]: number;
            };
            /** Tasks Total */
            tasks_total: number;
            /** Title */
            title: string;
            /** Tokens */
            tokens: number;
            /** Turns */
            turns: number;
            /** Unpriced */
            unpriced: number;
        };
        /**
         * Check
         * @description A command that judges a tree.
         */
        Check: {
            /**
             * Command
             * @description For a shell, at the top of the tree.
             */
            command: string;
            /**
             * Kind
             * @description Which of the build's verdicts it is.
             * @default test
             * @enum {string}
             */
            kind: "scope" | "syntax" | "typecheck" | "lint" | "test" | "build" | "validation" | "other";
            /**
             * Name
             * @description Its name in verdicts.
             */
            name: string;
            /**
             * Paths
             * @description Patterns (`server/*`; `*` also stands for slashes) of what a change must touch for it to run.
             * @default []
             */
            paths: string[];
            /**
             * Report
             * @description A JUnit XML file that it writes, by its path in the tree, or a parser; recognised if left out.
             * @default
             */
            report: string;
        };
        /**
         * CheckRequest
         * @description A command that judges a tree.
         */
        CheckRequest: {
            /**
             * Command
             * @description For a shell, at the top of the tree.
             */
            command: string;
            /**
             * Kind
             * @description Which of the build's verdicts it is.
             * @default test
             * @enum {string}
             */
            kind: "scope" | "syntax" | "typecheck" | "lint" | "test" | "build" | "validation" | "other";
            /**
             * Name
             * @description Its name in verdicts.
             */
            name: string;
            /**
             * Paths
             * @description Patterns (`server/*`; `*` also stands for slashes) of what a change must touch for it to run.
             * @default []
             */
            paths: string[];
            /**
             * Report
             * @description A JUnit XML file that it writes, by its path in the tree, or a parser; recognised if left out.
             * @default
             */
            report: string;
        };
        /**
         * Choice
         * @description One way out of a pause.
         */
        Choice: {
            /** Also */
            also?: {
                [key: string]: string;
            };
            /**
             * Name
             * @enum {string}
             */
            name: "go" | "retry" | "skip" | "abort";
            /**
             * Takes
             * @default
             */
            takes: string;
            /**
             * Value
             * @default
             */
            value: string;
            /** Words */
            words: string;
        };
        /**
         * ChoicesView
         * @description The ways out of a build's pause.
         */
        ChoicesView: {
            /** Build */
            build: string;
            /**
             * Choices
             * @default []
             */
            choices: components["schemas"]["PricedChoice"][];
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /** Paused */
            paused: boolean;
            /**
             * Reason
             * @default
             */
            reason: string;
            /** Since */
            since?: string | null;
            /**
             * Task
             * @default
             */
            task: string;
            /** Until */
            until?: string | null;
            /** Version */
            version: number;
            /**
             * Words
             * @default
             */
            words: string;
        };
        /**
         * CommentList
         * @description Comments on contracts, oldest first.
         */
        CommentList: {
            /** Items */
            items: components["schemas"]["ContractComment"][];
            /**
             * More
             * @default false
             */
            more: boolean;
        };
        /**
         * CommentState
         * @description What a comment is to be.
         */
        CommentState: {
            /**
             * Resolved
             * @default true
             */
            resolved: boolean;
        };
        /**
         * CommentWish
         * @description A comment on lines of a contract.
         */
        CommentWish: {
            /**
             * First
             * @description The first line of the passage, from 1.
             */
            first: number;
            /**
             * Last
             * @description Its last line; 0 for the paragraph around `first`.
             * @default 0
             */
            last: number;
            /** Text */
            text: string;
            /**
             * Version
             * @description The version that has these lines; 0 for the newest.
             * @default 0
             */
            version: number;
        };
        /**
         * CommitsRequest
         * @description What the commits of a build say of people.
         */
        CommitsRequest: {
            /**
             * Author
             * @description Author and committer, as `Name <address>`; by default who git says you are.
             * @default
             */
            author: string;
            /**
             * Mark Phases
             * @description After the audit of each phase that the plan names, make a commit without a change, `forge: Phase N complete`.
             * @default false
             */
            mark_phases: boolean;
            /**
             * Sign Off
             * @description End each message with `Signed-off-by` and the author, as git does on request.
             * @default false
             */
            sign_off: boolean;
            /**
             * Trailers
             * @description A line to end each message with, such as `Co-authored-by: Name <address>`.
             * @default []
             */
            trailers: string[];
        };
        /**
         * Complexity
         * @description How complex a task is likely to be.
         */
        Complexity: {
            /**
             * Level
             * @enum {string}
             */
            level: "simple" | "moderate" | "complex" | "critical";
            /** Minutes */
            minutes: number;
            /** Reasons */
            reasons: string[];
            /** Score */
            score: number;
            /**
             * Size
             * @enum {string}
             */
            size: "small" | "middle" | "large";
        };
        /**
         * ConnectedListView
         * @description The user's connected repositories, by name.
         */
        ConnectedListView: {
            /** Items */
            items: components["schemas"]["ConnectedView"][];
        };
        /**
         * ConnectedView
         * @description A repository that the user has connected.
         */
        ConnectedView: {
            /** By App */
            by_app: boolean;
            /**
             * Connected At
             * Format: date-time
             */
            connected_at: string;
            /** Id */
            id: string;
            /**
             * Ignored
             * @default 0
             */
            ignored: number;
            /** Last Delivery At */
            last_delivery_at?: string | null;
            /**
             * Last Event
             * @default
             */
            last_event: string;
            /** Name */
            name: string;
            /**
             * Webhook
             * @enum {string}
             */
            webhook: "waiting" | "working" | "missing";
        };
        /**
         * ConnectWish
         * @description A repository to connect.
         */
        ConnectWish: {
            /**
             * Name
             * @description `owner/name`.
             */
            name: string;
        };
        /**
         * Contention
         * @description A file that several tasks of the phase touch: they are done one after the other.
         */
        Contention: {
            /** File */
            file: string;
            /**
             * Holder
             * @default
             */
            holder: string;
            /** Tasks */
            tasks: string[];
        };
        /**
         * ContractComment
         * @description A comment on lines `first` to `last` of a version of a contract, which were `passage` then.
         */
        ContractComment: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** By */
            by: string;
            /**
             * Changed In
             * @default 0
             */
            changed_in: number;
            /**
             * Contract Type
             * @enum {string}
             */
            contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
            /** First */
            first: number;
            /** Id */
            id: string;
            /** Last */
            last: number;
            /** Line */
            line: number;
            /** Passage */
            passage: string;
            /** Resolved */
            resolved: boolean;
            /** Resolved At */
            resolved_at?: string | null;
            /**
             * Resolved By
             * @default
             */
            resolved_by: string;
            /** Text */
            text: string;
            /** Version */
            version: number;
            /** Words */
            words: string;
        };
        /**
         * ContractDiff
         * @description How two versions of a contract differ, as a unified diff; "" when they do not.
         */
        ContractDiff: {
            /**
             * Contract Type
             * @enum {string}
             */
            contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
            /** Diff */
            diff: string;
            /** New */
            new: number;
            /** Old */
            old: number;
        };
        /**
         * ContractDrafts
         * @description Contracts as they would be made of the answers so far, with their texts.
         */
        ContractDrafts: {
            /** Items */
            items: components["schemas"]["ContractText"][];
        };
        /**
         * ContractLine
         * @description A line of a contract: its number from 1, and the answers that it came from.
         */
        ContractLine: {
            /** Answers */
            answers: string[];
            /** Number */
            number: number;
        };
        /**
         * ContractList
         * @description Contracts by type, or the versions of one, the newest first.
         */
        ContractList: {
            /** Items */
            items: components["schemas"]["ContractView"][];
        };
        /**
         * ContractsChange
         * @description What became of contracts, and what that makes stale.
         */
        ContractsChange: {
            /**
             * Build Id
             * @default
             */
            build_id: string;
            /**
             * Contracts
             * @default []
             */
            contracts: components["schemas"]["ContractView"][];
            /**
             * Kept
             * @default []
             */
            kept: ("blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive")[];
            /** Project Id */
            project_id: string;
            /**
             * Redoing
             * @default
             */
            redoing: string;
            /**
             * Stale
             * @default []
             */
            stale: components["schemas"]["StaleTask"][];
        };
        /**
         * ContractText
         * @description A version of a contract with its text, and where its lines came from; lines of the template are left out.
         */
        ContractText: {
            /** Content */
            content: string;
            /**
             * Contract Type
             * @enum {string}
             */
            contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Edited */
            edited: boolean;
            /** File */
            file: string;
            /** Lines */
            lines: components["schemas"]["ContractLine"][];
            /**
             * Template
             * @description Version of the template that it was made from; 0 for none.
             */
            template: number;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** Version */
            version: number;
            /**
             * Words
             * @description Words of its text.
             * @default 0
             */
            words: number;
        };
        /**
         * ContractView
         * @description A version of a contract. `edited`: a person changed what its template made.
         */
        ContractView: {
            /**
             * Contract Type
             * @enum {string}
             */
            contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Edited */
            edited: boolean;
            /** File */
            file: string;
            /**
             * Template
             * @description Version of the template that it was made from; 0 for none.
             */
            template: number;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** Version */
            version: number;
            /**
             * Words
             * @description Words of its text.
             * @default 0
             */
            words: number;
        };
        /**
         * ContractWish
         * @description A contract as it is to be.
         */
        ContractWish: {
            /** Content */
            content: string;
        };
        /**
         * CostForecast
         * @description What a build has cost, and what it is likely to cost and take until its end.
         */
        CostForecast: {
            /** Budget Usd */
            budget_usd?: number | string | null;
            /** Build */
            build: string;
            /** From Tasks */
            from_tasks: number;
            /** Left Usd */
            left_usd?: number | string | null;
            /** Open Tasks */
            open_tasks: number;
            /**
             * Points
             * @default []
             */
            points: components["schemas"]["SpentPoint"][];
            seconds_left?: components["schemas"]["Range"] | null;
            /** Spent Usd */
            spent_usd: number | string;
            /**
             * Thrown Away
             * @default []
             */
            thrown_away: components["schemas"]["ThrownAway"][];
            /** Thrown Away Usd */
            thrown_away_usd: number | string;
            total_usd?: components["schemas"]["Range"] | null;
            /** Unpriced */
            unpriced: number;
            /** Version */
            version: number;
            /** Words */
            words: string;
        };
        /**
         * Costs
         * @description Sums of the requests to models of the caller's builds that are still kept.
         */
        Costs: {
            /**
             * By
             * @enum {string}
             */
            by: "day" | "month" | "project" | "user" | "model" | "agent" | "build" | "task" | "attempt" | "requirement" | "result";
            /** Cost Usd */
            cost_usd: number | string;
            /** @description Answers that were played again after a crash or a pause, not bought twice. */
            kept: components["schemas"]["KeptAnswers"];
            /** Sums */
            sums: components["schemas"]["CostSum"][];
            /**
             * Thrown Away Usd
             * @description The part spent on attempts that did not land, or were taken back.
             */
            thrown_away_usd: number | string;
            /**
             * Unpriced
             * @description Requests whose price is not known; `cost_usd` leaves them out.
             */
            unpriced: number;
            /**
             * Words
             * @description What people call a key: the title of a build, a result in words.
             */
            words?: {
                [key: string]: string;
            };
        };
        /**
         * CostSum
         * @description The sum of the requests of one key: a day, project, user, model, agent, build, task, attempt and so on.
         *
         *     The key of a task is `BUILD/TASK`, of an attempt `BUILD/TASK#1`, and of an advisor's request there `BUILD`. An
         *     interview stands among builds, tasks and attempts as `interview-PROJECT`, a plan without a build as `plan-ID`.
         */
        CostSum: {
            /**
             * Cache Read Tokens
             * @default 0
             */
            cache_read_tokens: number;
            /** Cache Tokens */
            cache_tokens: number;
            /** Cost Usd */
            cost_usd: number | string;
            /** Input Tokens */
            input_tokens: number;
            /** Key */
            key: string;
            /** Output Tokens */
            output_tokens: number;
            /** Requests */
            requests: number;
            /**
             * Thrown Away Usd
             * @default 0
             */
            thrown_away_usd: number | string;
            /** Unpriced */
            unpriced: number;
        };
        /**
         * CostTable
         * @description The sums of one build by one key, the dearest first. By requirement they overlap; the total counts a request once.
         */
        CostTable: {
            /**
             * By
             * @enum {string}
             */
            by: "phase" | "task" | "model" | "agent" | "requirement" | "result";
            /** Rows */
            rows: components["schemas"]["CostSum"][];
        };
        /**
         * DeliverBuild
         * @description Deliver what a build that has ended has landed: as a pull request (the open one is updated), a push, or a branch.
         *
         *     The build ends again as it had. Of one that has not succeeded, the pull request is a draft. If the build continues, the
         *     pull request is updated; a push and a branch are for once.
         */
        DeliverBuild: {
            /**
             * Branch
             * @description Branch for it; the one that the build has when left out.
             * @default
             */
            branch: string;
            /**
             * Deliver
             * @description Where what has landed goes.
             * @default pr
             * @enum {string}
             */
            deliver: "pr" | "push" | "branch" | "files";
        };
        /**
         * DeliveredResult
         * @description The place of the result.
         */
        DeliveredResult: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /**
             * Branch
             * @default
             */
            branch: string;
            /**
             * Commit
             * @default
             */
            commit: string;
            /**
             * Draft
             * @default false
             */
            draft: boolean;
            /** Kind */
            kind: string;
            /**
             * Pull Request
             * @default
             */
            pull_request: string;
            /**
             * Ref
             * @default
             */
            ref: string;
            /**
             * Remote
             * @default
             */
            remote: string;
        };
        /**
         * DeliveryRequest
         * @description Where the result goes: nowhere, a branch in the user's repository, a push to a remote with or without a pull request,
         *     or the files checked out.
         */
        DeliveryRequest: {
            /**
             * Branch
             * @description Branch for the result; `buildwright/` and the build's short id when left out.
             * @default
             */
            branch: string;
            /**
             * Kind
             * @description Where the result goes: to a `branch` in your repository, to a remote (`push`), there with a pull request (`pr`), to the branch that is checked out and its `files`, or nowhere (`none`).
             * @default branch
             * @enum {string}
             */
            kind: "none" | "branch" | "push" | "files" | "pr";
            /**
             * Remote
             * @description Push the result to this remote, not to a local branch; with `--deliver pr` the remote of the pull request.
             * @default
             */
            remote: string;
        };
        /**
         * Dependency
         * @description A task that this one needs, and how far that one is.
         */
        Dependency: {
            /** Id */
            id: string;
            /** Met */
            met: boolean;
            /** Phase */
            phase: string;
        };
        /**
         * DifferenceView
         * @description How a task list differs from the plan of a build, by the ids of tasks.
         */
        DifferenceView: {
            /**
             * Added
             * @default []
             */
            added: string[];
            /**
             * Dropped
             * @default []
             */
            dropped: string[];
            /**
             * Edited
             * @default []
             */
            edited: components["schemas"]["EditedTask"][];
            /**
             * Kept
             * @default []
             */
            kept: string[];
        };
        /**
         * DiffFile
         * @description The change of one file.
         */
        DiffFile: {
            /**
             * Added
             * @default 0
             */
            added: number;
            /**
             * Binary
             * @default false
             */
            binary: boolean;
            /**
             * Hunks
             * @default []
             */
            hunks: components["schemas"]["DiffHunk"][];
            /**
             * Kind
             * @default changed
             * @enum {string}
             */
            kind: "added" | "changed" | "deleted" | "renamed";
            /**
             * Language
             * @default
             */
            language: string;
            /**
             * Large
             * @default false
             */
            large: boolean;
            /**
             * Mode
             * @default
             */
            mode: string;
            /**
             * New Blob
             * @default
             */
            new_blob: string;
            /**
             * Old Blob
             * @default
             */
            old_blob: string;
            /**
             * Old Path
             * @default
             */
            old_path: string;
            /** Path */
            path: string;
            /**
             * Removed
             * @default 0
             */
            removed: number;
        };
        /**
         * DiffHunk
         * @description One hunk.
         */
        DiffHunk: {
            /**
             * Heading
             * @default
             */
            heading: string;
            /**
             * Lines
             * @default []
             */
            lines: components["schemas"]["DiffLine"][];
            /** New Lines */
            new_lines: number;
            /** New Start */
            new_start: number;
            /** Old Lines */
            old_lines: number;
            /** Old Start */
            old_start: number;
            /**
             * Purposes
             * @default []
             */
            purposes: components["schemas"]["Purpose"][];
            /**
             * Unasked
             * @default
             */
            unasked: string;
        };
        /**
         * DiffLine
         * @description One line of a hunk; `old` and `new` are its numbers from 1, None where it is not there.
         */
        DiffLine: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "same" | "added" | "removed";
            /** New */
            new?: number | null;
            /** Old */
            old?: number | null;
            /**
             * Pieces
             * @default []
             */
            pieces: string[];
            /** Text */
            text: string;
            /**
             * Unended
             * @default false
             */
            unended: boolean;
        };
        /**
         * Disconnected
         * @description A repository that is connected no more.
         */
        Disconnected: {
            /** Disconnected */
            disconnected: string;
            /**
             * Note
             * @description Why the webhook stays at the forge; empty if it is gone.
             */
            note: string;
        };
        /**
         * EditedTask
         * @description A task that says something else, and in which of its fields.
         */
        EditedTask: {
            /** Fields */
            fields: string[];
            /** Id */
            id: string;
        };
        /**
         * EstimateOutcome
         * @description What a build took, beside what was estimated from the builds before it.
         */
        EstimateOutcome: {
            /** Cost Usd */
            cost_usd: number | string;
            estimate: components["schemas"]["EstimateView"];
            /** Seconds */
            seconds: number;
            /** Within */
            within: boolean;
        };
        /**
         * EstimateView
         * @description What a plan is likely to take. Without a price or tokens that are known, `cost_usd` or `tokens` is None.
         */
        EstimateView: {
            attempts?: components["schemas"]["Range"] | null;
            /**
             * Basis
             * @enum {string}
             */
            basis: "history" | "prices";
            cost_usd?: components["schemas"]["Range"] | null;
            /**
             * Of Builds
             * @default 0
             */
            of_builds: number;
            /**
             * Of Tasks
             * @default 0
             */
            of_tasks: number;
            seconds?: components["schemas"]["Range"] | null;
            /** Tasks */
            tasks: number;
            tokens?: components["schemas"]["Range"] | null;
            /** Waves */
            waves: number;
        };
        /**
         * Evidence
         * @description The proof of a verdict: which tree was judged by which command, and its output.
         */
        Evidence: {
            /** Command */
            command: string;
            /** Exit Code */
            exit_code: number | null;
            /** Output Digest */
            output_digest: string;
            /**
             * Sandbox
             * @default none
             */
            sandbox: string;
            /** Seconds */
            seconds: number;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
            /**
             * Surface
             * @default
             * @enum {string}
             */
            surface: "" | "base";
            /** Tests */
            tests?: number | null;
            /** Tree */
            tree: string;
        };
        /**
         * FeatureView
         * @description A feature of the spec, and the tasks that build it, in their order.
         */
        FeatureView: {
            /**
             * Line
             * @default 0
             */
            line: number;
            /** Name */
            name: string;
            /**
             * Tasks
             * @default []
             */
            tasks: string[];
        };
        /**
         * FilesMoment
         * @description An event that changed the files of a build, or from which on there are files.
         */
        FilesMoment: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Seq */
            seq: number;
            /**
             * Task
             * @default
             */
            task: string;
            /** Words */
            words: string;
        };
        /**
         * FilesMoments
         * @description The moments of a build's files, oldest first; the first is the base that it stands on.
         */
        FilesMoments: {
            /** Build */
            build: string;
            /**
             * Moments
             * @default []
             */
            moments: components["schemas"]["FilesMoment"][];
            /** Version */
            version: number;
        };
        /**
         * FileView
         * @description One file as of one event.
         */
        FileView: {
            /** At */
            at: number;
            /** Build */
            build: string;
            /**
             * Language
             * @default
             */
            language: string;
            /** Lines */
            lines?: [
                string,
                string
            ][][] | null;
            /**
             * Mark
             * @default
             * @enum {string}
             */
            mark: "" | "new" | "changed";
            /**
             * Note
             * @default
             */
            note: string;
            /** Path */
            path: string;
            /** Size Bytes */
            size_bytes: number;
            /**
             * Task
             * @default
             */
            task: string;
            /**
             * Touched
             * @default []
             */
            touched: components["schemas"]["LineTouch"][];
        };
        /**
         * Finding
         * @description One thing a gate noticed.
         */
        Finding: {
            /**
             * Approved
             * @default
             */
            approved: string;
            /** Code */
            code: string;
            /** File */
            file?: string | null;
            /**
             * Fingerprint
             * @default
             */
            fingerprint: string;
            /**
             * Fix
             * @default
             */
            fix: string;
            /** Line */
            line?: number | null;
            /** Message */
            message: string;
            /**
             * Severity
             * @default error
             * @enum {string}
             */
            severity: "error" | "warning" | "note";
        };
        /**
         * ForkedFrom
         * @description The point of another build that a build goes on from.
         */
        ForkedFrom: {
            /** Build */
            build: string;
            /**
             * Changed
             * @default []
             */
            changed: string[];
            /** Event */
            event: number;
            /**
             * Note
             * @default
             */
            note: string;
            /**
             * Tasks
             * @default 0
             */
            tasks: number;
        };
        /**
         * GatesView
         * @description What the gates said in a build, or of one task of it.
         */
        GatesView: {
            /**
             * Approvals
             * @default []
             */
            approvals: components["schemas"]["ApprovalView"][];
            /** Build */
            build: string;
            /**
             * Not Run
             * @default []
             */
            not_run: components["schemas"]["NotRun"][];
            /**
             * Task
             * @default
             */
            task: string;
            /**
             * Verdicts
             * @default []
             */
            verdicts: components["schemas"]["VerdictView"][];
        };
        /**
         * GraphEdge
         * @description `needing` waits for `needed`.
         */
        GraphEdge: {
            /** Critical */
            critical: boolean;
            /** Met */
            met: boolean;
            /** Needed */
            needed: string;
            /** Needing */
            needing: string;
        };
        /**
         * GraphNode
         * @description A task in the picture of its phase.
         */
        GraphNode: {
            /**
             * Agent
             * @default
             */
            agent: string;
            /**
             * Attempt
             * @default 0
             */
            attempt: number;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Complexity */
            complexity?: ("simple" | "moderate" | "complex" | "critical") | null;
            /**
             * Cost Usd
             * @default 0
             */
            cost_usd: number | string;
            /**
             * Files
             * @default []
             */
            files: string[];
            /** Id */
            id: string;
            /** Layer */
            layer: number;
            /**
             * Milestone
             * @default
             */
            milestone: string;
            /** Minutes */
            minutes: number;
            /**
             * Model
             * @default
             */
            model: string;
            /**
             * Needs Elsewhere
             * @default []
             */
            needs_elsewhere: string[];
            /** On Critical Path */
            on_critical_path: boolean;
            /** Phase */
            phase: string;
            /**
             * Reason
             * @default
             */
            reason: string;
            /** Row */
            row: number;
            /** Seconds */
            seconds?: number | null;
            /** Title */
            title: string;
            /**
             * Tokens
             * @default 0
             */
            tokens: number;
            /**
             * Warnings
             * @default []
             */
            warnings: string[];
            /**
             * Wave
             * @default 0
             */
            wave: number;
            /** Why */
            why: string;
        };
        /**
         * Home
         * @description All of the first page.
         */
        Home: {
            /**
             * As Of
             * Format: date-time
             */
            as_of: string;
            /** Inbox */
            inbox: components["schemas"]["Need"][];
            /**
             * More News
             * @default 0
             */
            more_news: number;
            /**
             * News
             * @default []
             */
            news: components["schemas"]["NewsLine"][];
            /** Projects */
            projects: components["schemas"]["HomeProject"][];
        };
        /**
         * HomeProject
         * @description A project: a registered one, or the builds of one repository.
         */
        HomeProject: {
            /**
             * Builds
             * @default []
             */
            builds: components["schemas"]["BuildCard"][];
            health: components["schemas"]["BuildHealth"];
            /** Id */
            id: string;
            /**
             * More Builds
             * @default 0
             */
            more_builds: number;
            /** Name */
            name: string;
            /** Registered */
            registered: boolean;
        };
        /**
         * Instructions
         * @description How to take the result of a build, as steps and as one Markdown text.
         */
        Instructions: {
            /**
             * Branch
             * @default
             */
            branch: string;
            /** Build Id */
            build_id: string;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Delivered */
            delivered: boolean;
            /** Markdown */
            markdown: string;
            /**
             * Repository
             * @default
             */
            repository: string;
            stack: components["schemas"]["Stack"];
            /** Status */
            status: string;
            /** Steps */
            steps: components["schemas"]["InstructionStep"][];
        };
        /**
         * InstructionStep
         * @description One thing to do, with its commands, to be typed in this order.
         */
        InstructionStep: {
            /**
             * Commands
             * @default []
             */
            commands: string[];
            /**
             * Kind
             * @enum {string}
             */
            kind: "take" | "install" | "test" | "build" | "note";
            /**
             * Text
             * @default
             */
            text: string;
            /** Title */
            title: string;
        };
        /**
         * Interjection
         * @description A message of the user, and the agents that have heard it.
         */
        Interjection: {
            /** Delivered At */
            delivered_at?: string | null;
            /**
             * Delivered To
             * @default []
             */
            delivered_to: string[];
            /** Id */
            id: string;
            /** Message */
            message: string;
            /**
             * Sent At
             * Format: date-time
             */
            sent_at: string;
            /**
             * Task
             * @default
             */
            task: string;
        };
        /**
         * InterviewCost
         * @description What the interview has used. `unpriced` counts requests whose price is not known; `cost_usd` leaves them out.
         */
        InterviewCost: {
            /**
             * Cache Read Tokens
             * @default 0
             */
            cache_read_tokens: number;
            /**
             * Cache Tokens
             * @default 0
             */
            cache_tokens: number;
            /**
             * Cost Usd
             * @default 0
             */
            cost_usd: number | string;
            /**
             * Input Tokens
             * @default 0
             */
            input_tokens: number;
            /**
             * Output Tokens
             * @default 0
             */
            output_tokens: number;
            /**
             * Requests
             * @default 0
             */
            requests: number;
            /**
             * Unpriced
             * @default 0
             */
            unpriced: number;
        };
        /**
         * InterviewSection
         * @description One of the eight sections.
         */
        InterviewSection: {
            /** About */
            about: string;
            /** Answers */
            answers: components["schemas"]["Answer"][];
            /** Complete */
            complete: boolean;
            /**
             * Name
             * @enum {string}
             */
            name: "product_intent" | "tech_stack" | "database_schema" | "api_endpoints" | "ui_requirements" | "architectural_boundaries" | "deployment_target" | "phase_breakdown";
        };
        /**
         * InterviewView
         * @description An interview with all that the next message needs.
         */
        InterviewView: {
            /** Can Undo */
            can_undo: number;
            /** Checked */
            checked: boolean;
            /** Contradictions */
            contradictions: components["schemas"]["BothAnswers"][];
            cost: components["schemas"]["InterviewCost"];
            /** Instructions */
            instructions: string;
            /** Is Complete */
            is_complete: boolean;
            /** Name */
            name: string;
            /** Open Questions */
            open_questions: number;
            /** Project Id */
            project_id: string;
            question: components["schemas"]["OpenQuestion"] | null;
            /** Remaining */
            remaining: ("product_intent" | "tech_stack" | "database_schema" | "api_endpoints" | "ui_requirements" | "architectural_boundaries" | "deployment_target" | "phase_breakdown")[];
            /** Reply */
            reply: string;
            /** Sections */
            sections: components["schemas"]["InterviewSection"][];
            /** Spec */
            spec: {
                [key: string]: unknown;
            } | null;
            /** Title */
            title: string;
        };
        JsonValue: unknown;
        /**
         * KeptAnswers
         * @description Answers that were kept and played again instead of bought twice, and what they would have cost.
         */
        KeptAnswers: {
            /**
             * Answers
             * @default 0
             */
            answers: number;
            /**
             * Saved Usd
             * @default 0
             */
            saved_usd: number | string;
        };
        /**
         * LaterDelivery
         * @description Where what has landed is going, how the build had ended, and how far the delivery is.
         */
        LaterDelivery: {
            /** Attempt */
            attempt: number;
            /**
             * Branch
             * @default
             */
            branch: string;
            /**
             * Deliver
             * @enum {string}
             */
            deliver: "none" | "branch" | "push" | "files" | "pr";
            /** Outcome */
            outcome: string;
            /**
             * Stopping
             * @default false
             */
            stopping: boolean;
            /** Words */
            words: string;
        };
        /**
         * LimitsRequest
         * @description Every number that bounds a build. Times in seconds.
         */
        LimitsRequest: {
            /**
             * Attempts
             * @description Attempts per task.
             * @default 3
             */
            attempts: number;
            /**
             * Budget Usd
             * @description Pause when this many US dollars are spent.
             */
            budget_usd?: number | string | null;
            /**
             * Concurrency
             * @description Agents at once, and changes that one process judges at once.
             * @default 4
             */
            concurrency: number;
            /**
             * Day Budget Usd
             * @description Pause when all your builds have cost this many US dollars today (in UTC).
             */
            day_budget_usd?: number | string | null;
            /**
             * Disk Gib
             * @description GiB that one agent or check may write on disk.
             * @default 20
             */
            disk_gib: number;
            /**
             * Failed Tasks
             * @description Tasks that may fail; one more stops the build.
             * @default 3
             */
            failed_tasks: number;
            /**
             * Gate Seconds
             * @description Seconds for one check.
             * @default 120
             */
            gate_seconds: number;
            /**
             * Heartbeat Seconds
             * @description Seconds between two signs of life of an attempt; in a cluster a lease lasts three of them.
             * @default 30
             */
            heartbeat_seconds: number;
            /**
             * Loop After
             * @description Attempts of a task that failed with the same findings, after which it gets no more.
             * @default 3
             */
            loop_after: number;
            /**
             * Pause Seconds
             * @description Seconds of a pause after which a process gives the build up.
             * @default 1800
             */
            pause_seconds: number;
            /**
             * Phase Seconds
             * @description Pause when a phase of the plan takes longer than this many seconds; pauses do not count.
             */
            phase_seconds?: number | null;
            /**
             * Project Budget Usd
             * @description Pause when all your builds of the project have cost this many US dollars.
             */
            project_budget_usd?: number | string | null;
            /**
             * Pushes
             * @description Tries of a failed delivery before a pause.
             * @default 4
             */
            pushes: number;
            /**
             * Requests
             * @description Requests to models in one attempt; the next one is refused.
             * @default 500
             */
            requests: number;
            /**
             * Stuck After
             * @description Failed attempts in a row, over all tasks, after which nothing starts until the cause has been looked for.
             * @default 3
             */
            stuck_after: number;
            /**
             * Task Budget Usd
             * @description Pause when a task has cost this many US dollars.
             */
            task_budget_usd?: number | string | null;
            /**
             * Task Seconds
             * @description Seconds for one attempt.
             * @default 300
             */
            task_seconds: number;
            /**
             * Train
             * @description Cars of the merge train tested at once.
             * @default 4
             */
            train: number;
        };
        /**
         * LimitView
         * @description A provider that answers no request for this model until then.
         */
        LimitView: {
            /** Model */
            model: string;
            /** Provider */
            provider: string;
            /**
             * Until
             * Format: date-time
             */
            until: string;
        };
        /**
         * LineTouch
         * @description Lines of a file that one attempt wrote last, as far as this build did.
         */
        LineTouch: {
            /**
             * Agent
             * @default
             */
            agent: string;
            /**
             * Attempt
             * @default 0
             */
            attempt: number;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** First */
            first: number;
            /** Last */
            last: number;
            /**
             * Requirements
             * @default []
             */
            requirements: string[];
            /** Task */
            task: string;
            /** Title */
            title: string;
        };
        /**
         * LogPage
         * @description Lines of a build's log, oldest first.
         */
        LogPage: {
            /** Items */
            items: components["schemas"]["LogPageLine"][];
            /**
             * More
             * @description There may be more lines after these.
             */
            more: boolean;
            /**
             * Next After
             * @description `after` of the next page, also when there is nothing new yet.
             */
            next_after: number;
        };
        /**
         * LogPageLine
         * @description One line of a build's log.
         */
        LogPageLine: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Attempt */
            attempt: number;
            /** Kind */
            kind: string;
            /**
             * Level
             * @enum {string}
             */
            level: "info" | "warning" | "error";
            /** Seq */
            seq: number;
            /** Task */
            task: string;
            /** Text */
            text: string;
        };
        /**
         * MachineCheck
         * @description One check of `doctor`. What follows from a lack, and the one fix, are "" where nothing must be mended.
         */
        MachineCheck: {
            /**
             * Costs
             * @default
             */
            costs: string;
            /**
             * Fix
             * @default
             */
            fix: string;
            /** Found */
            found: string;
            /** Name */
            name: string;
            /**
             * State
             * @enum {string}
             */
            state: "works" | "lacking" | "broken";
        };
        /**
         * Me
         * @description The signed-in user.
         */
        Me: {
            /**
             * Github Login
             * @description The user's name at GitHub; empty if no account there is linked.
             * @default
             */
            github_login: string;
            /**
             * Kind
             * @description `session` or `bearer`.
             */
            kind: string;
            /** User Id */
            user_id: string;
        };
        /**
         * MessageReceipt
         * @description A message with its way.
         */
        MessageReceipt: {
            /** Id */
            id: string;
            /**
             * Sent At
             * Format: date-time
             */
            sent_at: string;
            /** Seq */
            seq: number;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "delivered" | "acted" | "lost";
            /**
             * Taken In
             * @default []
             */
            taken_in: components["schemas"]["TakenIn"][];
            /** Task */
            task: string;
            /** Text */
            text: string;
            /** Words */
            words: string;
        };
        /**
         * MessageView
         * @description A message of the user that no agent has heard yet. `task` is "" when it is for all.
         */
        MessageView: {
            /** Id */
            id: string;
            /**
             * Task
             * @default
             */
            task: string;
            /** Text */
            text: string;
        };
        /**
         * ModelUse
         * @description A model that an attempt asked, and why: `kind` as in `model.chosen`.
         */
        ModelUse: {
            /** Kind */
            kind: string;
            /** Model */
            model: string;
            /** Name */
            name: string;
            /** Reason */
            reason: string;
        };
        /**
         * Need
         * @description One thing that waits for a person.
         */
        Need: {
            /** Blocked */
            blocked: string;
            /** Blocks */
            blocks: number;
            /**
             * Build
             * @default
             */
            build: string;
            /** Evidence */
            evidence: string;
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /**
             * Kind
             * @enum {string}
             */
            kind: "pause" | "plan" | "finding" | "step" | "runner" | "interview";
            /** Project */
            project: string;
            /**
             * Refused
             * @default
             */
            refused: string;
            /**
             * Remedies
             * @default []
             */
            remedies: components["schemas"]["Remedy"][];
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /**
             * Task
             * @default
             */
            task: string;
            /** Title */
            title: string;
            /** Until */
            until?: string | null;
            /** Words */
            words: string;
        };
        /**
         * NewestBuild
         * @description The newest build of a project, in short.
         */
        NewestBuild: {
            /** Build Id */
            build_id: string;
            /** Completed At */
            completed_at?: string | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
            /** Title */
            title: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * NewsLine
         * @description One line of what happened since the user was here, with its evidence.
         */
        NewsLine: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Build */
            build: string;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Evidence */
            evidence: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "ended" | "paused" | "failed" | "delivered" | "landed" | "planned";
            /** Seq */
            seq: number;
            /**
             * Tasks
             * @default []
             */
            tasks: string[];
            /** Title */
            title: string;
            /** Words */
            words: string;
        };
        /**
         * NotRun
         * @description Something that was not run, and why.
         */
        NotRun: {
            /** What */
            what: string;
            /** Why */
            why: string;
        };
        /**
         * OpenQuestion
         * @description An open question with the answers that are suggested; a user may choose one by its number, from 1 on.
         */
        OpenQuestion: {
            /**
             * Section
             * @enum {string}
             */
            section: "product_intent" | "tech_stack" | "database_schema" | "api_endpoints" | "ui_requirements" | "architectural_boundaries" | "deployment_target" | "phase_breakdown";
            /**
             * Suggestions
             * @default []
             */
            suggestions: string[];
            /** Text */
            text: string;
        };
        /**
         * OptionsChange
         * @description New values of options; what is left out stays as it is.
         */
        OptionsChange: {
            /**
             * Accept Base
             * @description Continue although the base does not pass its own checks.
             */
            accept_base?: boolean | null;
            /**
             * Accept Checks
             * @description Checks that need not pass before any change, or codes of findings, such as `checks.none`.
             */
            accept_checks?: string[] | null;
            /**
             * Attempts
             * @description Attempts per task.
             */
            attempts?: number | null;
            /**
             * Branch
             * @description Branch for the result.
             */
            branch?: string | null;
            /**
             * Checks
             * @description Commands that judge every change from now on; none: found from the repository's files.
             */
            checks?: components["schemas"]["Check"][] | null;
            /**
             * Day Budget Usd
             * @description US dollars that all your builds may cost in a day of UTC.
             */
            day_budget_usd?: number | string | null;
            /**
             * Deliver
             * @description Where the result goes, such as `pr`.
             */
            deliver?: ("none" | "branch" | "push" | "files" | "pr") | null;
            /**
             * Disk Gib
             * @description GiB that one agent or check may write on disk.
             */
            disk_gib?: number | null;
            /**
             * Gate Seconds
             * @description Seconds for one check.
             */
            gate_seconds?: number | null;
            /**
             * Model
             * @description The model that writes.
             */
            model?: string | null;
            /**
             * Phase Seconds
             * @description Seconds for one phase of the plan.
             */
            phase_seconds?: number | null;
            /**
             * Project Budget Usd
             * @description US dollars that all builds of the project may cost.
             */
            project_budget_usd?: number | string | null;
            /**
             * Setup
             * @description Commands to run in a fresh checkout before the checks.
             */
            setup?: string[] | null;
            /**
             * Task Budget Usd
             * @description US dollars that each task may cost.
             */
            task_budget_usd?: number | string | null;
            /**
             * Task Seconds
             * @description Seconds for one attempt.
             */
            task_seconds?: number | null;
        };
        /**
         * OptionsRequest
         * @description How a build runs. Fixed at its start, stored in its first event, so that a resume needs nothing by hand.
         */
        OptionsRequest: {
            /**
             * Accept Base
             * @description Continue although the project fails its own checks before any change; the tasks are meant to fix that.
             * @default false
             */
            accept_base: boolean;
            /**
             * Accept Checks
             * @description The same for these checks alone, or findings by their code, such as `checks.none`.
             * @default []
             */
            accept_checks: string[];
            /**
             * Agent
             * @description Which agent writes: `direct` (a model, streamed), `claude` (Claude Agent SDK), `shell` (a command), `codex`, `gemini`, `aider`, `opencode`, `qwen`, `copilot`, `pi`, `mini`, `acp:COMMAND` (any program that speaks the Agent Client Protocol), one of another package, or one of your own (`[agents.NAME]`).
             * @default direct
             */
            agent: string;
            /**
             * Agent Command
             * @description The command that the shell agent runs for each task; exit 0 means that it finished.
             * @default
             */
            agent_command: string;
            /**
             * Allow
             * @description A protected path that agents may change.
             * @default []
             */
            allow: string[];
            /**
             * Approve Plan
             * @description Pause once there is a plan: nothing is built of it until you resume. You may change it first.
             * @default false
             */
            approve_plan: boolean;
            /**
             * Audit
             * @description False: the phases of the plan are not audited when their tasks have landed; by hand none is.
             * @default true
             */
            audit: boolean;
            /**
             * Cassette
             * @description Replay a model's answers from this file instead of asking a provider.
             * @default
             */
            cassette: string;
            /**
             * Checks
             * @description Commands that judge every change; found from the repository's files if left out.
             * @default []
             */
            checks: components["schemas"]["CheckRequest"][];
            /**
             * @default {
             *       "author": "",
             *       "mark_phases": false,
             *       "sign_off": false,
             *       "trailers": []
             *     }
             */
            commits: components["schemas"]["CommitsRequest"];
            /**
             * Context Tokens
             * @description The context window of the direct agent's model, in tokens; 0: that of the price list, else 200,000.
             * @default 0
             */
            context_tokens: number;
            /**
             * Contracts Folder
             * @description Folder of the repository for the contracts that the build runs from; `Forge` if left out.
             * @default
             */
            contracts_folder: string;
            /** @description Without it: a branch in the repository of `local_path`, a push to that of GitHub otherwise. */
            delivery?: components["schemas"]["DeliveryRequest"] | null;
            /**
             * Diagnoser Model
             * @description The model that looks for the cause of failures in a row; the one that plans when left out.
             * @default
             */
            diagnoser_model: string;
            /**
             * Gates
             * @description False: merge without judging.
             * @default true
             */
            gates: boolean;
            /**
             * Lesson Model
             * @description The model that words lessons; without it they are made of what was found.
             * @default
             */
            lesson_model: string;
            /**
             * Lessons
             * @description Give agents lessons of earlier attempts, and learn new ones; False: neither.
             * @default true
             */
            lessons: boolean;
            /**
             * @default {
             *       "attempts": 3,
             *       "concurrency": 4,
             *       "disk_gib": 20,
             *       "failed_tasks": 3,
             *       "gate_seconds": 120,
             *       "heartbeat_seconds": 30,
             *       "loop_after": 3,
             *       "pause_seconds": 1800,
             *       "pushes": 4,
             *       "requests": 500,
             *       "stuck_after": 3,
             *       "task_seconds": 300,
             *       "train": 4
             *     }
             */
            limits: components["schemas"]["LimitsRequest"];
            /**
             * Model
             * @description The model that writes, a name in `[models]`, or `auto` (by complexity); the default depends on the agent.
             * @default
             */
            model: string;
            /**
             * On Failure
             * @description When a task has used up its attempts: ask you, or continue without it.
             * @default pause
             * @enum {string}
             */
            on_failure: "pause" | "fail";
            /**
             * Part
             * @description Folder of the repository that the build is about, such as `packages/a`; the whole if left out.
             * @default
             */
            part: string;
            /**
             * Planner Model
             * @description The model that plans.
             * @default
             */
            planner_model: string;
            /**
             * Project
             * @description Name of the repository: containers that run its commands are named for it.
             * @default
             */
            project: string;
            /**
             * Protected
             * @description More path patterns no agent may touch, beside the built-in list.
             * @default []
             */
            protected: string[];
            /**
             * Review
             * @description Let a model review each change that has passed every gate; what it asks for must be done.
             * @default false
             */
            review: boolean;
            /**
             * Review Model
             * @description The model that reviews, which asks for a review; `--review` alone takes the one that plans.
             * @default
             */
            review_model: string;
            /**
             * Sandbox
             * @description What contains agents and checks; `auto` is bubblewrap, containers where that does not work, and stops where neither does.
             * @default auto
             * @enum {string}
             */
            sandbox: "auto" | "bubblewrap" | "container" | "none";
            /**
             * Sealed Model
             * @description The model that writes sealed tests; the one that plans when left out.
             * @default
             */
            sealed_model: string;
            /**
             * Sealed Tests
             * @description Have a model write tests of each task's acceptance lines before its agent starts; the agent never sees them, and the change must pass them.
             * @default false
             */
            sealed_tests: boolean;
            /**
             * Second After
             * @description Failed attempts of a task after which the second agent has its turn.
             * @default 2
             */
            second_after: number;
            /**
             * Second Agent
             * @description A second opinion: the agent that makes the next attempts of a task whose first ones failed.
             * @default
             */
            second_agent: string;
            /**
             * Setup
             * @description Commands to run in a fresh checkout before the checks, such as `npm ci`.
             * @default []
             */
            setup: string[];
        };
        /**
         * PassageWish
         * @description What is to change in a passage of a contract.
         */
        PassageWish: {
            /**
             * Content
             * @description The text that has the passage; else that of the newest version.
             * @default
             */
            content: string;
            /**
             * First
             * @description The first line of the passage, from 1.
             */
            first: number;
            /**
             * Last
             * @description Its last line; 0 for the paragraph around `first`.
             * @default 0
             */
            last: number;
            /**
             * Model
             * @description The model that rewrites, else the server's.
             * @default
             */
            model: string;
            /**
             * Text
             * @description What to change.
             */
            text: string;
        };
        /**
         * PauseBuild
         * @description Let nothing new start; what runs may finish. A paused build stays as it is.
         */
        PauseBuild: {
            /**
             * Message
             * @description Why, for the record.
             * @default
             */
            message: string;
        };
        /**
         * PauseView
         * @description Why a build is paused and what can be done about it; the findings come first.
         */
        PauseView: {
            /**
             * Approvable
             * @default []
             */
            approvable: string[];
            /**
             * Asked By
             * @default
             */
            asked_by: string;
            /**
             * Choices
             * @default []
             */
            choices: components["schemas"]["Choice"][];
            /**
             * Fault
             * @default
             * @enum {string}
             */
            fault: "" | "base" | "setup" | "machine" | "limits" | "provider" | "agent";
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /** Message */
            message: string;
            /**
             * Proposed
             * @default []
             */
            proposed: string[];
            /** Reason */
            reason: string;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /**
             * Task
             * @default
             */
            task: string;
            /** Until */
            until?: string | null;
        };
        /**
         * PhaseGraph
         * @description The tasks of one phase as a picture.
         */
        PhaseGraph: {
            /** Build */
            build: string;
            /**
             * Contention
             * @default []
             */
            contention: components["schemas"]["Contention"][];
            /**
             * Edges
             * @default []
             */
            edges: components["schemas"]["GraphEdge"][];
            /** Layers */
            layers: number;
            /** Name */
            name: string;
            /**
             * Nodes
             * @default []
             */
            nodes: components["schemas"]["GraphNode"][];
            /** Number */
            number: number;
            /** Rows */
            rows: number;
            /** Version */
            version: number;
        };
        /**
         * PhaseRail
         * @description The phases of a build in their order.
         */
        PhaseRail: {
            /** Build */
            build: string;
            /**
             * Critical Path
             * @default []
             */
            critical_path: string[];
            /** Current */
            current: number;
            /**
             * Phases
             * @default []
             */
            phases: components["schemas"]["RailPhase"][];
            seconds_left?: components["schemas"]["Range"] | null;
            /** Version */
            version: number;
        };
        /**
         * PhaseSummary
         * @description The figures of one phase. `seconds` is the working time from its first task's start to its last one's end, or to now.
         */
        PhaseSummary: {
            /** Attempts */
            attempts: number;
            /** Cost Usd */
            cost_usd: number | string;
            /** Done */
            done: number;
            /** Failed */
            failed: number;
            /** Loopbacks */
            loopbacks: number;
            /** Name */
            name: string;
            /** Number */
            number: number;
            /** Seconds */
            seconds: number;
            /** Skipped */
            skipped: number;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "active" | "paused" | "completed" | "failed";
            /** Tasks */
            tasks: number;
            /** Tokens */
            tokens: number;
        };
        /**
         * PlanAnswer
         * @description How the plan that was sent differs from the build's, and the build's standing.
         */
        PlanAnswer: {
            /** Changed */
            changed: boolean;
            difference: components["schemas"]["DifferenceView"];
            standing: components["schemas"]["Standing"];
        };
        /**
         * PlannedTaskView
         * @description One task of a plan of which nothing has run yet.
         */
        PlannedTaskView: {
            /**
             * Acceptance
             * @default []
             */
            acceptance: string[];
            /**
             * Action
             * @default change
             * @enum {string}
             */
            action: "create" | "modify" | "delete" | "change";
            /**
             * Agent
             * @default
             */
            agent: string;
            /**
             * Code Template
             * @default
             */
            code_template: string;
            complexity?: components["schemas"]["Complexity"] | null;
            /**
             * Critical
             * @default false
             */
            critical: boolean;
            /**
             * Depends On
             * @default []
             */
            depends_on: string[];
            /**
             * Files
             * @default []
             */
            files: string[];
            /**
             * Goal
             * @default
             */
            goal: string;
            /** Id */
            id: string;
            /**
             * Milestone
             * @default
             */
            milestone: string;
            /** Minutes */
            minutes: number;
            /**
             * On Critical Path
             * @default false
             */
            on_critical_path: boolean;
            /**
             * Priority
             * @default 0
             */
            priority: number;
            /**
             * Requirements
             * @default []
             */
            requirements: string[];
            /**
             * Tests First
             * @default []
             */
            tests_first: string[];
            /** Title */
            title: string;
            validation?: components["schemas"]["Validation"] | null;
            /** Wave */
            wave: number;
        };
        /**
         * PlanRow
         * @description A task of a plan, whole, with what it has reached and whether it may be changed.
         */
        PlanRow: {
            /** Attempt */
            attempt: number;
            /** May Change */
            may_change: boolean;
            /** Needed By */
            needed_by: string[];
            /** On Critical Path */
            on_critical_path: boolean;
            /** State */
            state: string;
            task: components["schemas"]["Task"];
            /** Wave */
            wave: number;
            /**
             * Why Not
             * @default
             */
            why_not: string;
        };
        /**
         * PlanTable
         * @description The plan of a build, in the order in which its tasks may begin.
         */
        PlanTable: {
            /** Build */
            build: string;
            /** Ended */
            ended: boolean;
            /**
             * Milestones
             * @default []
             */
            milestones: string[];
            /** Minutes */
            minutes: number;
            /**
             * Rows
             * @default []
             */
            rows: components["schemas"]["PlanRow"][];
            /** Title */
            title: string;
            /** Total Minutes */
            total_minutes: number;
            /** Version */
            version: number;
            /** Waits For Approval */
            waits_for_approval: boolean;
            /** Waves */
            waves: number;
        };
        /**
         * PlanText
         * @description The plan of a build as a task list that can be changed, and put back or built by itself.
         */
        PlanText: {
            /** Build Id */
            build_id: string;
            /** Content */
            content: string;
            /**
             * Form
             * @enum {string}
             */
            form: "yaml" | "json";
        };
        /**
         * PlanView
         * @description A plan before anything runs. Minutes are the planner's estimates.
         */
        PlanView: {
            /**
             * Checks
             * @default []
             */
            checks: string[];
            /** Critical Path */
            critical_path: string[];
            estimate?: components["schemas"]["EstimateView"] | null;
            /**
             * Features
             * @default []
             */
            features: components["schemas"]["FeatureView"][];
            /** Milestones */
            milestones: string[];
            /** Minutes */
            minutes: number;
            /**
             * Notes
             * @default
             */
            notes: string;
            /**
             * Spec Notes
             * @default []
             */
            spec_notes: string[];
            /** Tasks */
            tasks: components["schemas"]["PlannedTaskView"][];
            /**
             * Title
             * @default
             */
            title: string;
            /** Total Minutes */
            total_minutes: number;
            /**
             * Warnings
             * @default []
             */
            warnings: string[];
            /** Waves */
            waves: string[][];
            /** Widest */
            widest: number;
        };
        /**
         * PlanWish
         * @description The plan as it is to be.
         */
        PlanWish: {
            /**
             * Content
             * @description A task list, YAML or JSON, such as GET answers.
             */
            content: string;
        };
        /**
         * Price
         * @description What a choice is likely to take, and what is lost by it.
         *
         *     From the build's own history, or for a plan that waits from earlier builds or published prices: `basis` says which.
         */
        Price: {
            /** Basis */
            basis: string;
            cost_usd?: components["schemas"]["Range"] | null;
            /**
             * Lost Requirements
             * @default []
             */
            lost_requirements: string[];
            /**
             * Lost Tasks
             * @default []
             */
            lost_tasks: string[];
            /**
             * Lost Usd
             * @default 0
             */
            lost_usd: number | string;
            seconds?: components["schemas"]["Range"] | null;
            /**
             * Without
             * @default []
             */
            without: string[];
            /** Words */
            words: string;
        };
        /**
         * PricedChoice
         * @description One way out of a pause, with its price.
         */
        PricedChoice: {
            /** Body */
            body?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Command */
            command: string;
            /**
             * Method
             * @default POST
             * @enum {string}
             */
            method: "GET" | "POST";
            /** Name */
            name: string;
            /** Path */
            path: string;
            price: components["schemas"]["Price"];
            /**
             * Takes
             * @default
             */
            takes: string;
            /** Words */
            words: string;
        };
        /**
         * ProjectAnswer
         * @description A project. `status` is `draft` until it has a build, then that of its newest build.
         */
        ProjectAnswer: {
            build?: components["schemas"]["NewestBuild"] | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Description */
            description: string;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Status */
            status: string;
            /** Target Ref */
            target_ref: string;
            /**
             * Target Type
             * @description `local_path`, `github_existing` or `github_new`; "" while it has none.
             */
            target_type: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * ProjectDetail
         * @description A project with what is to be built.
         */
        ProjectDetail: {
            build?: components["schemas"]["NewestBuild"] | null;
            /**
             * Contracts
             * @description The newest version of each contract that it has.
             * @default {}
             */
            contracts: {
                [key: string]: number;
            };
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Description */
            description: string;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /**
             * Spec
             * @default
             */
            spec: string;
            /** Status */
            status: string;
            /** Target Ref */
            target_ref: string;
            /**
             * Target Type
             * @description `local_path`, `github_existing` or `github_new`; "" while it has none.
             */
            target_type: string;
            /** Tasks */
            tasks?: {
                [key: string]: unknown;
            }[] | null;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * ProjectOverview
         * @description All of a project's page.
         */
        ProjectOverview: {
            /**
             * Builds
             * @description The newest first.
             * @default []
             */
            builds: components["schemas"]["BuildCard"][];
            /** Command */
            command: string;
            defaults: components["schemas"]["BuildDefaults"];
            /** Description */
            description: string;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /**
             * Needs
             * @default []
             */
            needs: string[];
            /**
             * Refused
             * @description What the caller may not do to the project, each with the reason.
             */
            refused?: {
                [key: string]: string;
            };
            /**
             * Source
             * @enum {string}
             */
            source: "contracts" | "spec" | "tasks" | "interview" | "";
            /**
             * Spec
             * @default
             */
            spec: string;
            /**
             * Spec Chars
             * @default 0
             */
            spec_chars: number;
            /** Steps */
            steps: components["schemas"]["ProjectStep"][];
            /** Target Ref */
            target_ref: string;
            /** Target Type */
            target_type: string;
        };
        /**
         * ProjectPage
         * @description Projects, newest first.
         */
        ProjectPage: {
            /** Items */
            items: components["schemas"]["ProjectAnswer"][];
            /**
             * Next Cursor
             * @description `cursor` of the next page; null for the last one.
             */
            next_cursor: string | null;
        };
        /**
         * ProjectStep
         * @description One thing on the way to a build.
         */
        ProjectStep: {
            /**
             * Command
             * @default
             */
            command: string;
            /**
             * Name
             * @enum {string}
             */
            name: "target" | "interview" | "contracts" | "build";
            /**
             * Path
             * @default
             */
            path: string;
            /**
             * State
             * @enum {string}
             */
            state: "done" | "open" | "waits";
            /** Title */
            title: string;
            /** Words */
            words: string;
        };
        /**
         * Purpose
         * @description A task that made a hunk, and what it was asked for.
         */
        Purpose: {
            /**
             * Commit
             * @default
             */
            commit: string;
            /**
             * Requirements
             * @default []
             */
            requirements: string[];
            /** Task */
            task: string;
            /** Title */
            title: string;
        };
        /**
         * PushAuditListView
         * @description A page of audits, newest first.
         */
        PushAuditListView: {
            /** Items */
            items: components["schemas"]["PushAuditView"][];
            /**
             * Next Cursor
             * @default
             */
            next_cursor: string;
        };
        /**
         * PushAuditView
         * @description The audit of a commit that was pushed.
         */
        PushAuditView: {
            /** Base */
            base: string;
            /** Branch */
            branch: string;
            /**
             * Checks
             * @default []
             */
            checks: components["schemas"]["PushCheckView"][];
            /** Commit */
            commit: string;
            /** Completed At */
            completed_at?: string | null;
            /** Id */
            id: string;
            /** Ledger Entry */
            ledger_entry?: number | null;
            /**
             * Message
             * @default
             */
            message: string;
            /**
             * Queued At
             * Format: date-time
             */
            queued_at: string;
            /** Repository */
            repository: string;
            /** Seconds */
            seconds?: number | null;
            /** Started At */
            started_at?: string | null;
            /** Status */
            status: string;
            /**
             * Told
             * @default
             */
            told: string;
        };
        /**
         * PushCheckView
         * @description What one check said.
         */
        PushCheckView: {
            /** Code */
            code: string;
            /**
             * Detail
             * @default
             */
            detail: string;
            /**
             * Findings
             * @default []
             */
            findings: components["schemas"]["Finding"][];
            /** Name */
            name: string;
            /** Result */
            result: string;
        };
        /**
         * RailPhase
         * @description A phase on the rail.
         */
        RailPhase: {
            /** Attempts */
            attempts: number;
            /**
             * Audit
             * @default []
             */
            audit: components["schemas"]["AuditBadge"][];
            /** Audited */
            audited?: boolean | null;
            /** Done */
            done: number;
            /** Failed */
            failed: number;
            /** Is Current */
            is_current: boolean;
            /** Minutes */
            minutes: number;
            /** Name */
            name: string;
            /** Number */
            number: number;
            /** Refused */
            refused: number;
            /** Skipped */
            skipped: number;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "active" | "paused" | "completed" | "failed";
            /** Tasks */
            tasks: number;
            /** Waiting */
            waiting: number;
            /** Working */
            working: number;
        };
        /**
         * Range
         * @description From the tenth to the ninetieth of a hundred cases.
         */
        Range: {
            /** High */
            high: number;
            /** Low */
            low: number;
        };
        /**
         * Receipt
         * @description A message was accepted; the event `message.delivered` names it once an agent has it.
         */
        Receipt: {
            /** Build Id */
            build_id: string;
            /** Message Id */
            message_id: string;
            /** Task */
            task: string;
        };
        /**
         * Receipts
         * @description The messages of a build, oldest first.
         */
        Receipts: {
            /** Build */
            build: string;
            /**
             * Messages
             * @default []
             */
            messages: components["schemas"]["MessageReceipt"][];
            /**
             * Omitted
             * @default 0
             */
            omitted: number;
            /** Version */
            version: number;
        };
        /**
         * Remedy
         * @description One thing that a person can do: in words, as a command line, and as a request.
         */
        Remedy: {
            /** Body */
            body?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Command */
            command: string;
            /**
             * Method
             * @default POST
             * @enum {string}
             */
            method: "GET" | "POST";
            /** Name */
            name: string;
            /** Path */
            path: string;
            /**
             * Takes
             * @default
             */
            takes: string;
            /** Words */
            words: string;
        };
        /**
         * Report
         * @description The report of one gate on one tree. A refusal is data; a gate that could not judge raises `GateBroken`.
         */
        Report: {
            /**
             * Dropped
             * @default 0
             */
            dropped: number;
            evidence?: components["schemas"]["Evidence"] | null;
            /**
             * Findings
             * @default []
             */
            findings: components["schemas"]["Finding"][];
            /** Gate */
            gate: string;
            /**
             * Instructions
             * @default
             */
            instructions: string;
            /**
             * Kind
             * @default other
             * @enum {string}
             */
            kind: "scope" | "syntax" | "typecheck" | "lint" | "test" | "build" | "validation" | "other";
            /** Ok */
            ok: boolean;
        };
        /**
         * RepositoryListView
         * @description A page of repositories, those pushed to last first.
         */
        RepositoryListView: {
            /** Items */
            items: components["schemas"]["RepositoryView"][];
            /**
             * Next Cursor
             * @default
             */
            next_cursor: string;
        };
        /**
         * RepositoryView
         * @description A repository that the user's token may see.
         */
        RepositoryView: {
            /** Address */
            address: string;
            /**
             * Connected
             * @default
             */
            connected: string;
            /** Default Branch */
            default_branch: string;
            /** May Administer */
            may_administer: boolean;
            /** Name */
            name: string;
            /** Private */
            private: boolean;
        };
        /**
         * ResumeBuild
         * @description Answer a pause and go on. `go` to a build that is not paused changes nothing but sees that it is carried out.
         *
         *     With new `options` the base is judged anew if they can change its verdict. With another `base` what has landed is
         *     put on top of it anew. A build that has ended goes on where something of it is left.
         */
        ResumeBuild: {
            /**
             * Accept Plan
             * @description Take the changed plan that the diagnosis proposes.
             * @default false
             */
            accept_plan: boolean;
            /**
             * Base
             * @description Branch, tag or commit of the repository to stand on from now on.
             * @default
             */
            base: string;
            /**
             * Budget Usd
             * @description What the build may cost from now on.
             */
            budget_usd?: number | string | null;
            /**
             * Choice
             * @default go
             * @enum {string}
             */
            choice: "go" | "retry" | "skip" | "abort";
            /**
             * From Attempt
             * @description With `retry`: the attempt whose work the next one continues from.
             * @default 0
             */
            from_attempt: number;
            /**
             * Message
             * @description For the agents that continue; with `abort` why it ends.
             * @default
             */
            message: string;
            /** @description New values of options. */
            options?: components["schemas"]["OptionsChange"] | null;
            /**
             * Rebase
             * @description Stand on the newest commit of the base that the build was given.
             * @default false
             */
            rebase: boolean;
        };
        /**
         * ReviewComment
         * @description What a person says of some lines of a file.
         */
        ReviewComment: {
            /**
             * End Line
             * @default 0
             */
            end_line: number;
            /** Line */
            line: number;
            /** Path */
            path: string;
            /**
             * Side
             * @default new
             * @enum {string}
             */
            side: "new" | "old";
            /**
             * Task
             * @default
             */
            task: string;
            /** Text */
            text: string;
        };
        /**
         * ReviewTaken
         * @description A review was accepted: the event `review.sent` names the tasks that were made of it.
         */
        ReviewTaken: {
            /** Build Id */
            build_id: string;
            /** Review Id */
            review_id: string;
        };
        /**
         * ReviewView
         * @description The change of a build, or of one of its tasks, to be reviewed.
         */
        ReviewView: {
            /**
             * Added
             * @default 0
             */
            added: number;
            /** Build */
            build: string;
            /**
             * Files
             * @default []
             */
            files: components["schemas"]["DiffFile"][];
            /** New */
            new: string;
            /** Old */
            old: string;
            /**
             * Removed
             * @default 0
             */
            removed: number;
            /** Task */
            task: string;
            /**
             * Unasked
             * @default 0
             */
            unasked: number;
            /** Version */
            version: number;
        };
        /**
         * RewrittenContract
         * @description A contract in which a model has rewritten a passage; nothing of it is kept.
         */
        RewrittenContract: {
            /** Content */
            content: string;
            /**
             * Contract Type
             * @enum {string}
             */
            contract_type: "blueprint" | "manifesto" | "stack" | "schema" | "physics" | "boundaries" | "phases" | "ui" | "builder_contract" | "builder_directive";
            /** Cost Usd */
            cost_usd: number | string | null;
            /** Diff */
            diff: string;
            /** First */
            first: number;
            /** Instructions */
            instructions: string;
            /** Last */
            last: number;
            /** Project Id */
            project_id: string;
            /** Version */
            version: number;
        };
        /**
         * RoleChoice
         * @description A role that the caller may give to a member, and what it allows.
         */
        RoleChoice: {
            action?: components["schemas"]["TeamAction"] | null;
            /** Role */
            role: string;
            /** Words */
            words: string;
        };
        /**
         * SendMessage
         * @description Tell the agents something while they work. When none runs, the next one gets it.
         */
        SendMessage: {
            /**
             * Task
             * @description Id of a task; "" for all.
             * @default
             */
            task: string;
            /** Text */
            text: string;
        };
        /**
         * SendReview
         * @description Send comments on lines to the agents: one message to each task at work, a new task for those that are over.
         */
        SendReview: {
            /**
             * Comments
             * @description On lines of files.
             */
            comments: components["schemas"]["ReviewComment"][];
            /**
             * Message
             * @description What is said of the whole.
             * @default
             */
            message: string;
        };
        /**
         * ServerAgent
         * @description An agent that a build can name. Where its program is, and how it is installed, are only for owners of the server.
         */
        ServerAgent: {
            /**
             * Asked
             * @default []
             */
            asked: string[];
            /**
             * Found
             * @default
             */
            found: string;
            /**
             * Install
             * @default
             */
            install: string;
            /** Name */
            name: string;
            /**
             * State
             * @enum {string}
             */
            state: "installed" | "works" | "does not start" | "not installed";
            /** Title */
            title: string;
            /**
             * Tried
             * @default
             */
            tried: string;
            /**
             * Trouble
             * @default
             */
            trouble: string;
            /**
             * Version
             * @default
             */
            version: string;
        };
        /**
         * ServerAgents
         * @description The agents after each that is installed was started once in the sandbox.
         */
        ServerAgents: {
            /** Agents */
            agents: components["schemas"]["ServerAgent"][];
            /**
             * As Of
             * Format: date-time
             */
            as_of: string;
        };
        /**
         * ServerHome
         * @description The folder with all that the server keeps on its machine.
         */
        ServerHome: {
            /** Bytes */
            bytes: number;
            /** Files */
            files: number;
            /** Parts */
            parts: components["schemas"]["ServerHomePart"][];
            /** Path */
            path: string;
            /** Whole */
            whole: boolean;
        };
        /**
         * ServerHomePart
         * @description What one part of the home takes, and when it goes.
         */
        ServerHomePart: {
            /** Bytes */
            bytes: number;
            /** Files */
            files: number;
            /** Goes */
            goes: string;
            /** Name */
            name: string;
            /** Whole */
            whole: boolean;
        };
        /**
         * ServerPage
         * @description All of the page. Checks, home and settings are only for owners of the server (`sees_all`).
         */
        ServerPage: {
            /** Address */
            address: string;
            /** Agents */
            agents: components["schemas"]["ServerAgent"][];
            /**
             * As Of
             * Format: date-time
             */
            as_of: string;
            /**
             * Checks
             * @default []
             */
            checks: components["schemas"]["MachineCheck"][];
            /**
             * Health
             * @enum {string}
             */
            health: "works" | "lacking" | "broken";
            home?: components["schemas"]["ServerHome"] | null;
            sandbox: components["schemas"]["ServerSandbox"];
            /** Sees All */
            sees_all: boolean;
            /**
             * Settings
             * @default []
             */
            settings: components["schemas"]["ServerSetting"][];
            /**
             * Settings Trouble
             * @default
             */
            settings_trouble: string;
            /** Version */
            version: string;
        };
        /**
         * ServerSandbox
         * @description The sandbox that a build has here unless it asks for another one.
         */
        ServerSandbox: {
            /**
             * Fix
             * @default
             */
            fix: string;
            /**
             * Limits
             * @default
             */
            limits: string;
            /** Name */
            name: string;
            /**
             * Trouble
             * @default
             */
            trouble: string;
        };
        /**
         * ServerSetting
         * @description A setting that counts. Of a secret only whether it is set.
         */
        ServerSetting: {
            /** Name */
            name: string;
            /** Says */
            says: string;
            /** Source */
            source: string;
            /** Value */
            value: string;
        };
        /**
         * SpecCheck
         * @description What one gate said of a change.
         */
        SpecCheck: {
            /**
             * Command
             * @default
             */
            command: string;
            /** Exit Code */
            exit_code?: number | null;
            /** Gate */
            gate: string;
            /** Result */
            result: string;
            /** Tests */
            tests?: number | null;
        };
        /**
         * SpecDocument
         * @description One text of the spec.
         */
        SpecDocument: {
            /** Name */
            name: string;
            /**
             * Pieces
             * @default []
             */
            pieces: components["schemas"]["SpecPiece"][];
        };
        /**
         * SpecPiece
         * @description A piece of a text: joined, the pieces are the text.
         */
        SpecPiece: {
            /** Asks */
            asks: boolean;
            /** End */
            end: number;
            /** Found By */
            found_by?: ("list" | "quoted" | "feature" | "words") | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "heading" | "item" | "sentence" | "row" | "code" | "other";
            /** Line */
            line: number;
            /** Start */
            start: number;
            /**
             * State
             * @default grey
             * @enum {string}
             */
            state: "grey" | "blue" | "green" | "red";
            /**
             * Tasks
             * @default []
             */
            tasks: string[];
            /** Text */
            text: string;
            /**
             * Words
             * @default
             */
            words: string;
        };
        /**
         * SpecProgress
         * @description A spec as its own progress bar.
         */
        SpecProgress: {
            /** Build */
            build: string;
            /** Counts */
            counts?: {
                [key: string]: number;
            };
            /**
             * Documents
             * @default []
             */
            documents: components["schemas"]["SpecDocument"][];
            /** Form */
            form: string;
            /**
             * Note
             * @default
             */
            note: string;
            /** Planned */
            planned: boolean;
            /**
             * Tasks
             * @default []
             */
            tasks: components["schemas"]["SpecTask"][];
            /** Title */
            title: string;
            /**
             * Unasked
             * @default []
             */
            unasked: string[];
            /**
             * Uncovered
             * @default []
             */
            uncovered: components["schemas"]["UncoveredPart"][];
            /** Version */
            version: number;
        };
        /**
         * SpecTask
         * @description A task that builds a part of the spec, with what proves it.
         */
        SpecTask: {
            /**
             * Attempt
             * @default 0
             */
            attempt: number;
            /**
             * Checks
             * @default []
             */
            checks: components["schemas"]["SpecCheck"][];
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Evidence */
            evidence: string;
            /** Id */
            id: string;
            /** Phase */
            phase: string;
            /**
             * Reason
             * @default
             */
            reason: string;
            /** Title */
            title: string;
        };
        /**
         * SpentPoint
         * @description How much the build had cost by then.
         */
        SpentPoint: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Cost Usd */
            cost_usd: number | string;
        };
        /**
         * Stack
         * @description The tools that a project is made and worked with, as its own files say.
         */
        Stack: {
            /**
             * Build
             * @default []
             */
            build: string[];
            /**
             * Checks
             * @default []
             */
            checks: string[];
            /**
             * Install
             * @default []
             */
            install: string[];
            /**
             * Languages
             * @default []
             */
            languages: string[];
            /**
             * Notes
             * @default []
             */
            notes: string[];
            /**
             * Test
             * @default []
             */
            test: string[];
        };
        /**
         * StaleTask
         * @description A task of a build whose contracts have changed in what it was made from.
         */
        StaleTask: {
            /**
             * Files
             * @default []
             */
            files: string[];
            /** Landed */
            landed: boolean;
            /** Phase */
            phase: string;
            /** Reasons */
            reasons: string[];
            /** State */
            state: string;
            /** Task */
            task: string;
            /** Title */
            title: string;
        };
        /**
         * Standing
         * @description The state of a build in short: the answer to a request that steers it.
         */
        Standing: {
            /** Build Id */
            build_id: string;
            /** Control */
            control: string;
            /** Outcome */
            outcome: string;
            pause?: components["schemas"]["PauseView"] | null;
            phase: components["schemas"]["BuildPhase"];
            /** Project Id */
            project_id: string;
            /**
             * State
             * @description `paused` or `stopping`, else the phase.
             */
            state: string;
            /** Version */
            version: number;
        };
        /**
         * Status
         * @description How far a build is, what runs now, what it cost, what it needs, and which processes work on it.
         */
        Status: {
            /**
             * Base
             * @default
             */
            base: string;
            /** Budget Usd */
            budget_usd?: number | string | null;
            /** Control */
            control: string;
            /** Correlation Id */
            correlation_id: string;
            /** Counts */
            counts?: {
                [key: string]: number;
            };
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Delivered
             * @default
             */
            delivered: string;
            delivering?: components["schemas"]["LaterDelivery"] | null;
            /**
             * Delivery Error
             * @default
             */
            delivery_error: string;
            /**
             * Diagnosis
             * @default
             */
            diagnosis: string;
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /** Finished At */
            finished_at?: string | null;
            forked_from?: components["schemas"]["ForkedFrom"] | null;
            /**
             * Head
             * @default
             */
            head: string;
            /** Id */
            id: string;
            /**
             * Limits
             * @default []
             */
            limits: components["schemas"]["LimitView"][];
            /**
             * Message
             * @default
             */
            message: string;
            /**
             * Notes
             * @default []
             */
            notes: string[];
            /**
             * Omitted
             * @default 0
             */
            omitted: number;
            /**
             * Outcome
             * @default
             */
            outcome: string;
            pause?: components["schemas"]["PauseView"] | null;
            /**
             * Pull Request
             * @default
             */
            pull_request: string;
            /**
             * Refused
             * @description What the caller may not do to it, each with the reason.
             */
            refused?: {
                [key: string]: string;
            };
            /** Repository */
            repository: string;
            /**
             * Runner
             * @description The process that holds the build.
             */
            runner?: string | null;
            /**
             * Running
             * @default []
             */
            running: components["schemas"]["TaskView"][];
            /**
             * Sandbox
             * @default
             */
            sandbox: string;
            /**
             * Seconds
             * @default 0
             */
            seconds: number;
            /** Stage */
            stage: string;
            steps?: components["schemas"]["StepsView"] | null;
            /**
             * Tasks
             * @default []
             */
            tasks: components["schemas"]["TaskView"][];
            /** Title */
            title: string;
            /**
             * Total
             * @default 0
             */
            total: number;
            /**
             * Unheard
             * @default []
             */
            unheard: components["schemas"]["MessageView"][];
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            usage?: components["schemas"]["UsageView"];
            /** Version */
            version: number;
            /**
             * Warnings
             * @default []
             */
            warnings: string[];
            /**
             * Workers
             * @default []
             */
            workers: components["schemas"]["WorkerHolds"][];
        };
        /**
         * StepsView
         * @description The steps of a build driven by hand.
         */
        StepsView: {
            /**
             * Allowed
             * @default []
             */
            allowed: ("auto" | "plan_only" | "implement_only" | "verify_only")[];
            /** Asked */
            asked?: ("auto" | "plan_only" | "implement_only" | "verify_only") | null;
        };
        /**
         * StopBuild
         * @description End the build: agents are ended, nothing more lands. A build that was stopped stays as it is.
         */
        StopBuild: {
            /**
             * Message
             * @description Why, for the record.
             * @default
             */
            message: string;
        };
        StreamFrame: {
            payload: components["schemas"]["StreamPayload"];
            projectId: string;
            ts: string;
            type: string;
        };
        StreamLine: {
            attempt: number;
            kind: string;
            /** @enum {unknown} */
            level: "info" | "warning" | "error";
            seq: number;
            task: string;
            text: string;
            ts: string;
        };
        StreamPayload: {
            after?: string;
            cursor?: string;
            event?: string;
            executionId?: string;
            head?: {
                [key: string]: {
                    line: number;
                };
            };
            lines?: components["schemas"]["StreamLine"][];
            oldest?: {
                [key: string]: {
                    line: number;
                };
            };
            /** @enum {unknown} */
            resume?: "live" | "replay" | "reset";
            seq?: number;
            why?: string;
        };
        /**
         * TakenContracts
         * @description What became of a build that took the contracts as they are now.
         */
        TakenContracts: {
            /**
             * Added
             * @default []
             */
            added: string[];
            /** Build Id */
            build_id: string;
            /**
             * Dropped
             * @default []
             */
            dropped: string[];
            /**
             * Edited
             * @default []
             */
            edited: string[];
            /** Project Id */
            project_id: string;
            /**
             * Stale
             * @default []
             */
            stale: components["schemas"]["StaleTask"][];
        };
        /**
         * TakenIn
         * @description An agent that has heard a message.
         */
        TakenIn: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Attempt */
            attempt: number;
            /**
             * Changed
             * @default []
             */
            changed: string[];
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Evidence */
            evidence: string;
            /** Outcome */
            outcome: string;
            /** Seq */
            seq: number;
            /** Task */
            task: string;
            /** Turn */
            turn: number;
        };
        /**
         * TargetChecked
         * @description Whether a build could be given this target. A host is not asked: whether it has the repository shows at the start.
         */
        TargetChecked: {
            /**
             * Fix
             * @default
             */
            fix: string;
            /** Ok */
            ok: boolean;
            /**
             * Repository
             * @description Path or address that builds use; "" while it is not good.
             * @default
             */
            repository: string;
            /** Words */
            words: string;
        };
        /**
         * TargetKind
         * @description A kind of place that builds can work in.
         */
        TargetKind: {
            /** Available */
            available: boolean;
            /** Example */
            example: string;
            /**
             * Target Type
             * @enum {string}
             */
            target_type: "local_path" | "github_existing" | "github_new";
            /** Title */
            title: string;
            /**
             * Why Not
             * @description Why this server does not have it; "" when it does.
             */
            why_not: string;
            /** Words */
            words: string;
        };
        /**
         * TargetKinds
         * @description All kinds, those that this server has first.
         */
        TargetKinds: {
            /** Items */
            items: components["schemas"]["TargetKind"][];
        };
        /**
         * TargetWish
         * @description A target as a person types it.
         */
        TargetWish: {
            /**
             * Target Ref
             * @default
             */
            target_ref: string;
            /**
             * Target Type
             * @enum {string}
             */
            target_type: "local_path" | "github_existing" | "github_new";
        };
        /**
         * Task
         * @description One planned unit of work: small enough for one agent in one lane.
         */
        Task: {
            /**
             * Acceptance
             * @default []
             */
            acceptance: string[];
            /**
             * Action
             * @default change
             * @enum {string}
             */
            action: "create" | "modify" | "delete" | "change";
            /**
             * Agent
             * @default
             */
            agent: string;
            /**
             * Code Template
             * @default
             */
            code_template: string;
            /**
             * Critical
             * @default false
             */
            critical: boolean;
            /**
             * Depends On
             * @default []
             */
            depends_on: string[];
            /**
             * Files Expected
             * @default []
             */
            files_expected: string[];
            /**
             * Goal
             * @default
             */
            goal: string;
            /** Id */
            id: string;
            /**
             * Milestone
             * @default
             */
            milestone: string;
            /**
             * Minutes
             * @default 1
             */
            minutes: number;
            /**
             * Priority
             * @default 0
             */
            priority: number;
            /**
             * Requirements
             * @default []
             */
            requirements: string[];
            /**
             * Tests First
             * @default []
             */
            tests_first: string[];
            /** Title */
            title: string;
            validation?: components["schemas"]["Validation"] | null;
        };
        /**
         * TaskView
         * @description One task as a list shows it. `seconds` is its working time, from its first attempt to its end, or to now.
         */
        TaskView: {
            /**
             * Agent
             * @default
             */
            agent: string;
            /**
             * Attempt
             * @default 0
             */
            attempt: number;
            /**
             * Commit
             * @default
             */
            commit: string;
            /** Complexity */
            complexity?: ("simple" | "moderate" | "complex" | "critical") | null;
            /**
             * Cost Usd
             * @default 0
             */
            cost_usd: number | string;
            /** Id */
            id: string;
            /**
             * Milestone
             * @default
             */
            milestone: string;
            /**
             * Model
             * @default
             */
            model: string;
            /** Phase */
            phase: string;
            /**
             * Reason
             * @default
             */
            reason: string;
            /** Seconds */
            seconds?: number | null;
            /** Title */
            title: string;
            /**
             * Tokens
             * @default 0
             */
            tokens: number;
            /**
             * Warnings
             * @default []
             */
            warnings: string[];
            /**
             * Wave
             * @default 0
             */
            wave: number;
        };
        /**
         * TeamAction
         * @description Something that can be done on the page: a request, and the command line that does the same.
         */
        TeamAction: {
            /** Body */
            body?: {
                [key: string]: string | boolean | null;
            } | null;
            /** Command */
            command: string;
            /**
             * Leads
             * @default false
             */
            leads: boolean;
            /**
             * Method
             * @enum {string}
             */
            method: "POST" | "PATCH" | "PUT" | "DELETE";
            /** Path */
            path: string;
            /** Words */
            words: string;
        };
        /**
         * TeamGitHub
         * @description The caller's account at GitHub: `login` is "" while none is linked.
         */
        TeamGitHub: {
            link?: components["schemas"]["TeamAction"] | null;
            /** Login */
            login: string;
            unlink?: components["schemas"]["TeamAction"] | null;
        };
        /**
         * TeamMember
         * @description A member on the page. Without `choices` the caller may change nothing.
         */
        TeamMember: {
            /** Added At */
            added_at?: string | null;
            /**
             * Added By
             * @default
             */
            added_by: string;
            /**
             * Choices
             * @default []
             */
            choices: components["schemas"]["RoleChoice"][];
            remove?: components["schemas"]["TeamAction"] | null;
            /** Role */
            role: ("maintainer" | "member" | "viewer") | "owner";
            /** User Id */
            user_id: string;
        };
        /**
         * TeamPage
         * @description All of the page: the caller, all users for an owner of the server, the caller's tokens, and projects.
         */
        TeamPage: {
            github: components["schemas"]["TeamGitHub"];
            me: components["schemas"]["UserView"];
            /**
             * Projects
             * @default []
             */
            projects: components["schemas"]["TeamProject"][];
            /**
             * Tokens
             * @default []
             */
            tokens: components["schemas"]["TeamToken"][];
            /**
             * Users
             * @default []
             */
            users: components["schemas"]["TeamUser"][];
        };
        /**
         * TeamProject
         * @description A project that the caller sees, with its members.
         */
        TeamProject: {
            /** Id */
            id: string;
            /** Members */
            members: components["schemas"]["TeamMember"][];
            /** Name */
            name: string;
            /** Role */
            role: string;
            /**
             * Share
             * @default []
             */
            share: components["schemas"]["RoleChoice"][];
        };
        /**
         * TeamToken
         * @description A token on the page.
         */
        TeamToken: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /** Id */
            id: string;
            /**
             * Is This
             * @default false
             */
            is_this: boolean;
            /** Kind */
            kind: string;
            /** Label */
            label: string;
            /** Last Used At */
            last_used_at?: string | null;
            revoke: components["schemas"]["TeamAction"];
            /** User Id */
            user_id: string;
        };
        /**
         * TeamUser
         * @description A user on the page, with what can be done.
         */
        TeamUser: {
            /**
             * Actions
             * @default []
             */
            actions: components["schemas"]["TeamAction"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Disabled At */
            disabled_at?: string | null;
            /**
             * Github Login
             * @default
             */
            github_login: string;
            /** May Run Commands */
            may_run_commands: boolean;
            /** Most Builds */
            most_builds?: number | null;
            /** Most Builds An Hour */
            most_builds_an_hour?: number | null;
            /** Most Usd A Month */
            most_usd_a_month?: number | string | null;
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "owner" | "member";
            /**
             * Spent Usd
             * @default 0
             */
            spent_usd: number | string;
            /**
             * Unfinished
             * @default 0
             */
            unfinished: number;
            /** User Id */
            user_id: string;
        };
        /**
         * ThrownAway
         * @description Money spent on attempts that have ended and did not land, or were taken back, by what became of them.
         */
        ThrownAway: {
            /** Attempts */
            attempts: number;
            /** Cost Usd */
            cost_usd: number | string;
            /** Result */
            result: string;
            /** Words */
            words: string;
        };
        /**
         * TreeFile
         * @description A file of the tree.
         */
        TreeFile: {
            /**
             * Language
             * @default
             */
            language: string;
            /**
             * Mark
             * @default
             * @enum {string}
             */
            mark: "" | "new" | "changed";
            /**
             * Note
             * @default
             */
            note: string;
            /** Path */
            path: string;
            /** Size Bytes */
            size_bytes: number;
            /**
             * Task
             * @default
             */
            task: string;
        };
        /**
         * TreeView
         * @description All files of a build as of one event. The mirror has them, whatever has become of the user's checkout.
         */
        TreeView: {
            /** At */
            at: number;
            /** Build */
            build: string;
            /**
             * Deleted
             * @default []
             */
            deleted: string[];
            /**
             * Files
             * @default []
             */
            files: components["schemas"]["TreeFile"][];
            /**
             * Omitted
             * @default 0
             */
            omitted: number;
            /** Tree */
            tree: string;
        };
        /**
         * UncoveredPart
         * @description A part that no task builds.
         */
        UncoveredPart: {
            /** Document */
            document: number;
            /** Line */
            line: number;
            /** Piece */
            piece: number;
            /** Text */
            text: string;
        };
        /**
         * UsageView
         * @description Tokens and money of the whole build. `unpriced` counts requests whose price is not known.
         */
        UsageView: {
            /**
             * Cache Read Tokens
             * @default 0
             */
            cache_read_tokens: number;
            /**
             * Cache Write Tokens
             * @default 0
             */
            cache_write_tokens: number;
            /**
             * Cost Usd
             * @default 0
             */
            cost_usd: number | string;
            /**
             * Input Tokens
             * @default 0
             */
            input_tokens: number;
            /**
             * Output Tokens
             * @default 0
             */
            output_tokens: number;
            /**
             * Requests
             * @default 0
             */
            requests: number;
            /**
             * Tokens
             * @default 0
             */
            tokens: number;
            /**
             * Unpriced
             * @default 0
             */
            unpriced: number;
        };
        /**
         * UserView
         * @description A user of the server. A limit of null is the server's.
         */
        UserView: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Disabled At */
            disabled_at?: string | null;
            /**
             * Github Login
             * @default
             */
            github_login: string;
            /** May Run Commands */
            may_run_commands: boolean;
            /** Most Builds */
            most_builds?: number | null;
            /** Most Builds An Hour */
            most_builds_an_hour?: number | null;
            /** Most Usd A Month */
            most_usd_a_month?: number | string | null;
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "owner" | "member";
            /**
             * Spent Usd
             * @default 0
             */
            spent_usd: number | string;
            /**
             * Unfinished
             * @default 0
             */
            unfinished: number;
            /** User Id */
            user_id: string;
        };
        /**
         * Validation
         * @description A command of the task's own that must succeed on the patched tree, beside the project's checks.
         */
        Validation: {
            /** Command */
            command: string;
            /**
             * Expected
             * @default exit code 0
             */
            expected: string;
        };
        /**
         * VerdictView
         * @description One verdict of the gates on one tree. `task` is "" and `attempt` 0 for the base and the final tree.
         */
        VerdictView: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /**
             * Attempt
             * @default 0
             */
            attempt: number;
            /**
             * Not Run
             * @default []
             */
            not_run: components["schemas"]["NotRun"][];
            /** Ok */
            ok: boolean;
            /**
             * Phase
             * @default
             */
            phase: string;
            /**
             * Reports
             * @default []
             */
            reports: components["schemas"]["Report"][];
            /**
             * Seconds
             * @default 0
             */
            seconds: number;
            /**
             * Subject
             * @enum {string}
             */
            subject: "base" | "patch" | "merge" | "result" | "phase";
            /**
             * Task
             * @default
             */
            task: string;
            /** Tree */
            tree: string;
        };
        /**
         * Version
         * @description The version of the server that answers.
         */
        Version: {
            /** Phase */
            phase: string;
            /** Version */
            version: string;
        };
        /**
         * WhyView
         * @description The answer for one task: `answer` in one sentence, then its reasons.
         */
        WhyView: {
            /**
             * Accepted By
             * @default []
             */
            accepted_by: string[];
            /** Answer */
            answer: string;
            /**
             * Approvable
             * @default []
             */
            approvable: components["schemas"]["ApprovableFinding"][];
            /**
             * Approvals
             * @default []
             */
            approvals: components["schemas"]["ApprovalView"][];
            /**
             * Attempts
             * @default []
             */
            attempts: components["schemas"]["AttemptView"][];
            /** Build */
            build: string;
            /**
             * Changed
             * @default []
             */
            changed: string[];
            /**
             * Commit
             * @default
             */
            commit: string;
            complexity: components["schemas"]["Complexity"];
            /**
             * Consent
             * @default
             */
            consent: string;
            /**
             * Depends On
             * @default []
             */
            depends_on: components["schemas"]["Dependency"][];
            /**
             * Diagnosis
             * @default
             */
            diagnosis: string;
            /**
             * Findings
             * @default []
             */
            findings: string[];
            /**
             * Guidance
             * @default []
             */
            guidance: string[];
            /**
             * Holder
             * @default
             */
            holder: string;
            /**
             * Outside
             * @default []
             */
            outside: string[];
            /**
             * Reports
             * @default []
             */
            reports: components["schemas"]["Report"][];
            state: components["schemas"]["TaskView"];
            /**
             * Summary
             * @default
             */
            summary: string;
            task: components["schemas"]["Task"];
        };
        /**
         * WithoutTask
         * @description What goes when a task is dropped from a plan.
         */
        WithoutTask: {
            /** Command */
            command: string;
            /**
             * Freed
             * @default []
             */
            freed: string[];
            /** Task */
            task: string;
            /** Title */
            title: string;
            /**
             * Unbuilt
             * @default []
             */
            unbuilt: string[];
            /** Words */
            words: string;
        };
        /**
         * WorkerHolds
         * @description One action that a worker holds. `task` is "" for an action of the whole build.
         */
        WorkerHolds: {
            /** Action */
            action: string;
            /**
             * State
             * @description `alive`, `suspect` or `gone`.
             */
            state: string;
            /** Task */
            task: string;
            /** Worker */
            worker: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
