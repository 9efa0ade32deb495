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
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
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
         * AttemptView
         * @description One attempt at the task and its result. `seconds` is None while it runs.
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
         * Choice
         * @description One way out of a pause.
         */
        Choice: {
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
        JsonValue: unknown;
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
            /** Seq */
            seq: number;
            /** Task */
            task: string;
            /** Text */
            text: string;
        };
        /**
         * Me
         * @description The signed-in user.
         */
        Me: {
            /**
             * Kind
             * @description `session` or `bearer`.
             */
            kind: string;
            /** User Id */
            user_id: string;
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
         * Price
         * @description What a choice is likely to take, and what is lost by it.
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
             * @description For the agent that tries again; goes with `retry` and `abort`.
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
            lines?: components["schemas"]["StreamLine"][];
            /** @enum {unknown} */
            resume?: "live" | "replay" | "reset";
            seq?: number;
            why?: string;
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
         * @description One task as a list shows it. `seconds` runs from its first attempt to its end, or to now.
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
