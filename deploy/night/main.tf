# The night: jobs, services, workflow, topics and schedule, made from ../jobs.yaml, ../schedule.yaml and ../workflow.yaml.
# Datasets, accounts and the registry's bucket are those of ../gcp, which is applied first.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

data "google_service_account" "duty" {
  for_each   = toset(["analytics", "precompute", "predictions"])
  account_id = "nba-features-${each.key}"
}

locals {
  run_files = yamldecode(file("${path.module}/../jobs.yaml"))
  calendar  = yamldecode(file("${path.module}/../schedule.yaml"))
  run_jobs  = { for job in local.run_files.jobs : job.name => job }
  services  = { for service in local.run_files.services : service.name => service }
  schedule  = { for item in local.calendar.schedule : item.name => item }
  topics    = toset(["phase4-processor-success", "phase4-ml-feature-store-trigger", "ml-feature-store-success"])

  environment = {
    NBA_FEATURES_PROFILE         = "gcp"
    NBA_FEATURES_GCP_PROJECT     = var.project
    NBA_FEATURES_GCP_LOCATION    = var.location
    NBA_FEATURES_REGISTRY_BUCKET = var.registry_bucket
    NBA_FEATURES_ONLINE_STORE    = var.online_store
  }

  # What jobs of the duty predictions read from Secret Manager, never from a value in a file: addresses of people, passwords.
  secrets = { for name, secret in { NBA_FEATURES_NOTIFY = var.notify_secret, NBA_FEATURES_REDIS = var.redis_secret } : name => secret if secret != "" }
}

resource "google_pubsub_topic" "night" {
  for_each                   = local.topics
  name                       = each.key
  message_retention_duration = "604800s"
}

resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = { for pair in setproduct(local.topics, ["precompute", "predictions"]) : "${pair[0]}/${pair[1]}" => pair }
  topic    = google_pubsub_topic.night[each.value[0]].name
  role     = "roles/pubsub.publisher"
  member   = data.google_service_account.duty[each.value[1]].member
}

resource "google_cloud_run_v2_job" "night" {
  for_each = local.run_jobs
  name     = each.key
  location = var.region

  template {
    template {
      service_account = data.google_service_account.duty[each.value.duty].email
      timeout         = "${each.value.timeout_seconds}s"
      max_retries     = each.value.retries

      containers {
        image = var.image
        args  = each.value.args

        resources {
          limits = { cpu = tostring(each.value.cpu), memory = each.value.memory }
        }

        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = each.value.duty == "predictions" ? local.secrets : {}
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
      }

      dynamic "vpc_access" {
        for_each = var.network == "" ? [] : [var.network]
        content {
          egress = "PRIVATE_RANGES_ONLY"
          network_interfaces {
            network    = vpc_access.value
            subnetwork = var.subnetwork == "" ? null : var.subnetwork
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.online_store != "redis" || var.redis_secret != ""
      error_message = "With Redis its address is needed: redis_secret."
    }
  }
}

resource "google_cloud_run_v2_service" "night" {
  for_each = local.services
  name     = each.key
  location = var.region
  ingress  = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  template {
    service_account = data.google_service_account.duty[each.value.duty].email
    timeout         = "${each.value.timeout_seconds}s"

    containers {
      image   = var.image
      command = each.value.command

      resources {
        limits = { cpu = tostring(each.value.cpu), memory = each.value.memory }
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }
}

resource "google_service_account" "night" {
  account_id   = "nba-features-night"
  display_name = "nba-features workflow and schedule"
}

resource "google_project_iam_member" "night" {
  for_each = toset(["roles/workflows.invoker", "roles/run.viewer", "roles/eventarc.eventReceiver", "roles/bigquery.jobUser", "roles/logging.logWriter"])
  project  = var.project
  role     = each.key
  member   = google_service_account.night.member
}

# It starts these jobs with the words of a step and calls this service; it deploys neither, so no other code runs as a duty.
resource "google_cloud_run_v2_job_iam_member" "night_runs" {
  for_each = google_cloud_run_v2_job.night
  name     = each.value.name
  location = each.value.location
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.night.member
}

resource "google_cloud_run_v2_service_iam_member" "night_calls" {
  for_each = google_cloud_run_v2_service.night
  name     = each.value.name
  location = each.value.location
  role     = "roles/run.invoker"
  member   = google_service_account.night.member
}

resource "google_service_account_iam_member" "night_runs_as_duty" {
  for_each           = data.google_service_account.duty
  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.night.member
}

resource "google_bigquery_dataset_iam_member" "night_reads_completions" {
  dataset_id = "nba_orchestration"
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.night.member
}

resource "google_secret_manager_secret_iam_member" "predictions_reads" {
  for_each  = local.secrets
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = data.google_service_account.duty["predictions"].member
}

resource "google_workflows_workflow" "night" {
  name            = "nba-features-night"
  region          = var.region
  service_account = google_service_account.night.id
  source_contents = file("${path.module}/../workflow.yaml")
  user_env_vars   = { ORCHESTRATION_DATASET = "nba_orchestration" }
}

resource "google_eventarc_trigger" "completions" {
  name            = "nba-features-completions"
  location        = var.region
  service_account = google_service_account.night.email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }
  transport {
    pubsub {
      topic = google_pubsub_topic.night["phase4-processor-success"].id
    }
  }
  destination {
    cloud_run_service {
      service = google_cloud_run_v2_service.night["nba-features-completions"].name
      region  = var.region
    }
  }
}

resource "google_eventarc_trigger" "store" {
  name            = "nba-features-store"
  location        = var.region
  service_account = google_service_account.night.email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }
  transport {
    pubsub {
      topic = google_pubsub_topic.night["phase4-ml-feature-store-trigger"].id
    }
  }
  destination {
    workflow = google_workflows_workflow.night.id
  }
}

resource "google_cloud_scheduler_job" "night" {
  for_each    = local.schedule
  name        = each.key
  description = each.value.why
  schedule    = each.value.cron
  time_zone   = local.calendar.time_zone
  region      = var.region
  paused      = lookup(each.value, "paused", false)

  http_target {
    http_method = "POST"
    uri = (contains(keys(each.value), "workflow")
      ? "https://workflowexecutions.googleapis.com/v1/${google_workflows_workflow.night.id}/executions"
    : "https://run.googleapis.com/v2/projects/${var.project}/locations/${var.region}/jobs/${each.value.job}:run")
    body    = base64encode(contains(keys(each.value), "workflow") ? jsonencode({ argument = jsonencode(each.value.argument) }) : "{}")
    headers = { "Content-Type" = "application/json" }

    oauth_token {
      service_account_email = google_service_account.night.email
    }
  }
}
